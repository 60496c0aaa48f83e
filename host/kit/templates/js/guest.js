// A guest to begin with: looks at a machine and changes nothing.

import ipmi from "wreimage:ipmi/ipmi@0.1.0";
import run from "wreimage:run/run@0.1.0";
import { Actions, SUCCESS, describe } from "./wreimage.js";

export const guest = {
  describe() {
    return describe("@NAME@", "0.1.0", "Looks at a machine", false);
  },

  run() {
    const host = run.getRequest().host;
    const actions = new Actions();

    actions.step("check", "Read the power state", (step) => {
      const state = ipmi.getPowerState();
      if (state.tag === "on") {
        step.says("the machine is on");
      } else {
        step.warns(`the machine is ${state.val ?? state.tag}`);
      }
    });

    actions.note(SUCCESS, `nothing was changed on ${host}`);
    return actions.outcome(`The BMC of ${host} answers.`);
  },

  // The closing words; what must not stay has been taken back by the host.
  onEnded(_ending) {},
};
