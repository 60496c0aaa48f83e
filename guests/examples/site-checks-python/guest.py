"""A site's component for `reimage`: looks at the RAID before anything is changed, and at the new system after the first Puppet
run.

    wreimage run reimage --plug site-checks-python.wasm --host host1001 --os bookworm
"""

import wreimage
from componentize_py_types import Err
from wit_world import exports
from wit_world.imports import remote, run
from wit_world.imports.hook_types import Phase_Announce
from wit_world.imports.remote import Command, Exit_Status, Identity
from wit_world.imports.types import FaultKind_Cancelled

# Commands that only look answer at once.
LOOK_MS = 30_000


class Plug(exports.Plug):
    def describe(self):
        return wreimage.describe_plug(
            "site-checks-python",
            "0.1.0",
            "Looks at the RAID before a reimage, and at the units of the new system",
            mutates=True,  # `remote.run` counts as a change: the host cannot know what a command does.
        )


class BeforePhase(exports.BeforePhase):
    def before_phase(self, phase):
        # Before anybody is told and anything is changed.
        if not isinstance(phase, Phase_Announce):
            return []
        actions = wreimage.Actions()
        actions.step("site checks", "Check the RAID of the host", check_raid)
        return actions.findings()


class PostInstall(exports.PostInstall):
    def check_installed(self):
        actions = wreimage.Actions()
        actions.step("site checks", "Smoke test of the new system", smoke_test)
        return actions.findings()


def check_raid(step):
    """A machine with a broken disk is not wiped: its data may be the last copy, and the new system would begin degraded."""
    try:
        mdstat = output(Identity.PRODUCTION, ["cat", "/proc/mdstat"])
    except Err as error:
        if isinstance(error.value.kind, FaultKind_Cancelled):
            raise
        # A dead system is no reason not to reimage.
        step.warns(f"not looked at: {error.value.message}")
        return
    broken = [line.split()[0] for line in mdstat.splitlines() if "(F)" in line]
    if broken:
        raise wreimage.fault(
            "site-checks.raid-degraded",
            f"the RAID {', '.join(broken)} of {run.get_request().host} is degraded: a disk has failed. Replace it, wait until "
            "the array is whole, then run again.",
            "site checks",
        )
    step.says("all disks are in their arrays")


def smoke_test(step):
    """Puppet has configured the system: nothing of it should fail."""
    failed = output(Identity.PRODUCTION, ["systemctl", "--failed", "--plain", "--no-legend"])
    units = [line.split()[0] for line in failed.splitlines() if line.strip()]
    if units:
        step.fails(f"units fail on {run.get_request().host}: {', '.join(units)}")
        step.evidence("failed units", " ".join(units))
    else:
        step.says("no unit fails")


def output(identity, argv):
    """What a command says that must succeed."""
    result = remote.run(identity, Command(argv, LOOK_MS))
    if not (isinstance(result.exit, Exit_Status) and result.exit.value == 0):
        raise wreimage.fault(
            "site-checks.command-failed",
            f"`{' '.join(argv)}` failed on {run.get_request().host}: {result.stderr_tail.strip()}",
            "site checks",
        )
    return result.stdout_tail
