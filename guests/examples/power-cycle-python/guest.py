"""The same small runbook as `power-cycle-rust` and `power-cycle-js`: checks a machine, power cycles it from its disk and waits
for a boot that is new.
"""

import wreimage
from wit_world import exports
from wit_world.imports import clock, ipmi, operator, remote, run
from wit_world.imports.ipmi import BootDevice_Disk, BootMode, PowerAction, PowerState_On
from wit_world.imports.remote import Answering, BootReference, Identity

# How long a machine takes to come up, at most.
BOOT = wreimage.wait_policy(deadline_s=1800, interval_s=10)


class Guest(exports.Guest):
    def describe(self):
        return wreimage.describe(
            "power-cycle-python",
            "0.1.0",
            "Power cycles a machine and waits until it has come up again",
            mutates=True,
            options=[wreimage.toggle("no-prompt", "Do not ask before the power cycle")],
        )

    def run(self):
        request = run.get_request()
        host = request.host
        actions = wreimage.Actions()

        def check_power(step):
            if not isinstance(ipmi.get_power_state(), PowerState_On):
                raise wreimage.fault(
                    "power-cycle.not-on",
                    f"{host} is not on, so nothing says that it would come up: look at it first",
                )
            step.says("the machine is on")

        def read_boot_id(step):
            boot_id = remote.get_boot_id(Identity.PRODUCTION)
            step.evidence("boot id", boot_id)
            return BootReference(boot_id, clock.now())

        actions.step("check", "Read the power state", check_power)
        before = actions.value("check", "Read the boot id", read_boot_id)

        no_prompt = wreimage.options(request).get("no-prompt") == "true"
        if not (no_prompt or operator.confirm(f"Power cycle {host} now?")):
            return actions.outcome(f"{host} was left alone.")

        def boot_from_disk(step):
            flags = ipmi.set_boot_device(BootDevice_Disk(), BootMode.LEGACY)
            step.evidence("boot flags", flags.raw)

        def power_cycle(step):
            ipmi.set_power(PowerAction.CYCLE)
            step.says("told the BMC")

        def wait_for_boot(step):
            boot = remote.wait_for_boot(before, Answering.PRODUCTION, BOOT)
            step.says(f"up again, {boot.uptime_ms // 1000} s old")
            step.evidence("boot id", boot.boot_id)
            return boot

        actions.step("cycle", "Boot from disk next", boot_from_disk)
        actions.step("cycle", "Power cycle", power_cycle)
        boot = actions.value("cycle", "Wait for a new boot", wait_for_boot, usually_s=300)
        clock.sleep(5000)

        def look(step):
            step.says(remote.get_os_release(boot.identity).pretty_name)

        actions.step("settle", "Look at what runs", look)
        return actions.outcome(f"{host} was power cycled and is up again.")

    def on_ended(self, ending):
        run.get_request()
