"""A component to begin with: looks at the machine before it is taken out of service, and changes nothing."""

import wreimage
from wit_world import exports
from wit_world.imports import ipmi
from wit_world.imports.hook_types import Phase_Drain
from wit_world.imports.ipmi import PowerState_Off, PowerState_On


class Plug(exports.Plug):
    def describe(self):
        return wreimage.describe_plug("@NAME@", "0.1.0", "Looks at a machine", mutates=False)


class BeforePhase(exports.BeforePhase):
    def before_phase(self, phase):
        actions = wreimage.Actions()
        if isinstance(phase, Phase_Drain):
            actions.step("site", "Look at the power", look_at_power)
        return actions.findings()


def look_at_power(step):
    state = ipmi.get_power_state()
    if isinstance(state, PowerState_On):
        step.says("the machine is on")
    elif isinstance(state, PowerState_Off):
        step.warns("the machine is off")
    else:
        step.warns(f"the machine is {state.value}")
