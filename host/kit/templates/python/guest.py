"""A guest to begin with: looks at a machine and changes nothing."""

import wreimage
from wit_world import exports
from wit_world.imports import ipmi, run
from wit_world.imports.ipmi import PowerState_Off, PowerState_On


class Guest(exports.Guest):
    def describe(self):
        return wreimage.describe("@NAME@", "0.1.0", "Looks at a machine", mutates=False)

    def run(self):
        host = run.get_request().host
        actions = wreimage.Actions()

        def read_power(step):
            state = ipmi.get_power_state()
            if isinstance(state, PowerState_On):
                step.says("the machine is on")
            elif isinstance(state, PowerState_Off):
                step.warns("the machine is off")
            else:
                step.warns(f"the machine is {state.value}")

        actions.step("check", "Read the power state", read_power)
        actions.note(run.Level_Success(), f"nothing was changed on {host}")
        return actions.outcome(f"The BMC of {host} answers.")

    def on_ended(self, ending):
        """The closing words; what must not stay has been taken back by the host."""
