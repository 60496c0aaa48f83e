// The same small runbook as `power-cycle-rust` and `power-cycle-python`: checks a machine, power cycles it from its disk and
// waits for a boot that is new.

import clock from "wreimage:clock/clock@0.1.0";
import ipmi from "wreimage:ipmi/ipmi@0.1.0";
import operator from "wreimage:operator/operator@0.1.0";
import remote from "wreimage:remote/remote@0.1.0";
import run from "wreimage:run/run@0.1.0";
import { Actions, describe, fault, option, options, waitPolicy } from "./wreimage.js";

// How long a machine takes to come up, at most.
const BOOT = waitPolicy(1800, 10);

export const guest = {
  describe() {
    const summary = "Power cycles a machine and waits until it has come up again";
    return describe("power-cycle-js", "0.1.0", summary, true, [
      option("toggle", "no-prompt", "Do not ask before the power cycle"),
    ]);
  },

  run() {
    const request = run.getRequest();
    const host = request.host;
    const actions = new Actions();

    actions.step("check", "Read the power state", (step) => {
      if (ipmi.getPowerState().tag !== "on") {
        throw fault(
          "power-cycle.not-on",
          `${host} is not on, so nothing says that it would come up: look at it first`,
        );
      }
      step.says("the machine is on");
    });
    const before = actions.value("check", "Read the boot id", (step) => {
      const bootId = remote.getBootId("production");
      step.evidence("boot id", bootId);
      return { bootId, timeMs: clock.now() };
    });

    const noPrompt = options(request)["no-prompt"] === "true";
    if (!(noPrompt || operator.confirm(`Power cycle ${host} now?`))) {
      return actions.outcome(`${host} was left alone.`);
    }

    actions.step("cycle", "Boot from disk next", (step) => {
      const flags = ipmi.setBootDevice({ tag: "disk" }, "legacy");
      step.evidence("boot flags", flags.raw);
    });
    actions.step("cycle", "Power cycle", (step) => {
      ipmi.setPower("cycle");
      step.says("told the BMC");
    });
    const boot = actions.value(
      "cycle",
      "Wait for a new boot",
      (step) => {
        const boot = remote.waitForBoot(before, "production", BOOT);
        step.says(`up again, ${Math.floor(boot.uptimeMs / 1000)} s old`);
        step.evidence("boot id", boot.bootId);
        return boot;
      },
      300,
    );
    clock.sleep(5000);
    actions.step("settle", "Look at what runs", (step) => {
      step.says(remote.getOsRelease(boot.identity).prettyName);
    });
    return actions.outcome(`${host} was power cycled and is up again.`);
  },

  onEnded(_ending) {
    run.getRequest();
  },
};
