// Does what a guest should not; the option says what.

import clock from "wreimage:clock/clock@0.1.0";
import ipmi from "wreimage:ipmi/ipmi@0.1.0";
import operator from "wreimage:operator/operator@0.1.0";
import run from "wreimage:run/run@0.1.0";
import { Actions, ROLES, describe, option, options } from "./wreimage.js";

function inner() {
  throw new TypeError("no disk");
}

const KINDS = {
  raises(actions) {
    actions.step("odd", "Read the power state", (step) => step.says(ipmi.getPowerState().tag));
    actions.step("odd", "Throw", () => inner());
  },

  // Calls depend on randomness and time, before and after a question.
  random(actions) {
    for (let i = 0; i < 3; i++) clock.sleep(Math.floor(Math.random() * 100000));
    clock.sleep(Date.now() % 100000);
    console.log("before", Math.random());
    actions.step("odd", "Ask", (step) => step.says(String(operator.confirm("Go on?"))));
    clock.sleep(Math.floor(Math.random() * 100000));
    console.log("after", Math.random(), Date.now());
  },

  // Fails where it only looked: the fault is the host's word, and no exception.
  faults() {
    clock.sleep(1);
    throw { ...FAULT };
  },
};

const FAULT = {
  kind: { tag: "rejected" },
  code: "odd.fault",
  retryable: false,
  system: "guest",
  message: "the guest gives up",
  extra: [],
};

export const guest = {
  describe() {
    return describe("odd-js", "0.1.0", "Does what a guest should not", false, [
      option(Object.keys(KINDS), "what", "What to do", { required: true }),
      option("text", "release", "Not used", { role: "target-release", choicesFrom: "dhcp.releases" }),
      ...ROLES.slice(1).map((role) => option("toggle", role, "Not used", { role })),
    ]);
  },

  run() {
    const actions = new Actions();
    KINDS[options(run.getRequest()).what](actions);
    return actions.outcome("Done.");
  },

  onEnded(_ending) {},
};
