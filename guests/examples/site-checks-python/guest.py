"""A site's component for `reimage`: looks at the RAID before anything is changed, and at the new system after the first Puppet
run.

    wreimage run reimage --plug site-checks-python.wasm --host host1001 --os bookworm
"""

from componentize_py_types import Err
from wit_world import exports
from wit_world.exports.plug import Description
from wit_world.imports import remote, run
from wit_world.imports.hook_types import (
    Finding,
    Level_Failure,
    Level_Success,
    Level_Warning,
    Phase_Announce,
)
from wit_world.imports.remote import Command, Exit_Status, Identity
from wit_world.imports.types import Fault, FaultKind_Cancelled, FaultKind_Rejected

# Commands that only look answer at once.
LOOK_MS = 30_000

# What the levels of findings are called where steps end.
STEP_LEVELS = {
    Level_Success: run.Level_Success,
    Level_Warning: run.Level_Warning,
    Level_Failure: run.Level_Failure,
}


class Plug(exports.Plug):
    def describe(self):
        return Description(
            "site-checks-python",
            "0.1.0",
            "Looks at the RAID before a reimage, and at the units of the new system",
            True,  # `remote.run` counts as a change: the host cannot know what a command does.
            [],
        )


class BeforePhase(exports.BeforePhase):
    def before_phase(self, phase):
        # Before anybody is told and anything is changed.
        if not isinstance(phase, Phase_Announce):
            return []
        return [step("Check the RAID of the host", check_raid)]


class PostInstall(exports.PostInstall):
    def check_installed(self):
        return [step("Smoke test of the new system", smoke_test)]


def step(name, look):
    """A step that ends as `look` says: with a level and a text, or with the fault that it raises."""
    run.step_begin("site checks", name, None)
    try:
        level, text, evidence = look()
    except Err as error:
        run.step_end(run.Level_Failure(), error.value.message, [("fault", error.value.code)])
        raise
    run.step_end(STEP_LEVELS[type(level)](), text, evidence)
    return Finding(name, level, text, [])


def check_raid():
    """A machine with a broken disk is not wiped: its data may be the last copy, and the new system would begin degraded."""
    try:
        mdstat = output(Identity.PRODUCTION, ["cat", "/proc/mdstat"])
    except Err as error:
        if isinstance(error.value.kind, FaultKind_Cancelled):
            raise
        # A dead system is no reason not to reimage.
        return Level_Warning(), f"not looked at: {error.value.message}", []
    broken = [line.split()[0] for line in mdstat.splitlines() if "(F)" in line]
    if broken:
        raise fault(
            "site-checks.raid-degraded",
            f"the RAID {', '.join(broken)} of {run.get_request().host} is degraded: a disk has failed. Replace it, wait until "
            "the array is whole, then run again.",
        )
    return Level_Success(), "all disks are in their arrays", []


def smoke_test():
    """Puppet has configured the system: nothing of it should fail."""
    failed = output(Identity.PRODUCTION, ["systemctl", "--failed", "--plain", "--no-legend"])
    units = [line.split()[0] for line in failed.splitlines() if line.strip()]
    if units:
        host = run.get_request().host
        return Level_Failure(), f"units fail on {host}: {', '.join(units)}", [("failed units", " ".join(units))]
    return Level_Success(), "no unit fails", []


def output(identity, argv):
    """What a command says that must succeed."""
    result = remote.run(identity, Command(argv, LOOK_MS))
    if not (isinstance(result.exit, Exit_Status) and result.exit.value == 0):
        raise fault(
            "site-checks.command-failed",
            f"`{' '.join(argv)}` failed on {run.get_request().host}: {result.stderr_tail.strip()}",
        )
    return result.stdout_tail


def fault(code, message):
    return Err(Fault(FaultKind_Rejected(), code, False, "site checks", message, []))
