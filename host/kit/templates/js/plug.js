// A component to begin with: looks at the machine before it is taken out of service, and changes nothing.

import ipmi from "wreimage:ipmi/ipmi@0.1.0";
import { Actions, describePlug } from "./wreimage.js";

export const plug = {
  describe() {
    return describePlug("@NAME@", "0.1.0", "Looks at a machine", false);
  },
};

export const beforePhase = {
  beforePhase(phase) {
    const actions = new Actions();
    if (phase.tag === "drain") {
      actions.step("site", "Look at the power", (step) => {
        const state = ipmi.getPowerState();
        if (state.tag === "on") {
          step.says("the machine is on");
        } else {
          step.warns(`the machine is ${state.val ?? state.tag}`);
        }
      });
    }
    return actions.findings();
  },
};
