"""Does what a guest should not, and looks at what is not there; the option says what."""

import os
import random
import socket
import sys
import time
import uuid

import wreimage
from wit_world import exports
from wit_world.imports import clock, ipmi, operator, run


def closed(actions):
    """Finds nothing of the machine that the host runs on."""
    print("printed", end="")
    print(" in parts")
    print("to standard error", file=sys.stderr)
    for path in ("/etc/passwd", ".", "/"):
        try:
            run.log(run.Severity.ERROR, f"opened {path}: {os.listdir(path)}")
        except OSError as error:
            run.log(run.Severity.INFO, f"{path}: no: {type(error).__name__}")
    for what, reach in (
        ("name", lambda: socket.getaddrinfo(b"localhost", 80)),
        ("connection", lambda: socket.socket().connect(("127.0.0.1", 80))),
        ("socket", lambda: socket.socket().bind(("127.0.0.1", 0))),
    ):
        try:
            run.log(run.Severity.ERROR, f"opened a {what}: {reach()}")
        except OSError as error:
            run.log(run.Severity.INFO, f"{what}: no: {type(error).__name__}")
    run.log(run.Severity.INFO, f"input: {sys.stdin.read()!r}")
    print("x" * 50_000)
    run.log(run.Severity.INFO, f"time: {time.time() * 1000 - clock.now():.0f}")
    run.log(run.Severity.INFO, f"environment: {sorted(os.environ)}, arguments: {sys.argv}")
    before = time.monotonic()
    time.sleep(90)
    run.log(run.Severity.INFO, f"slept {time.monotonic() - before:.0f} s")


def random_calls(actions):
    """Calls depend on randomness and time, before and after a question."""
    random.seed()
    for _ in range(3):
        clock.sleep(random.randrange(100_000))
    time.sleep(random.random() * 10)
    clock.sleep(int(time.time() * 1000) % 100_000)
    run.log(run.Severity.INFO, f"before {uuid.uuid4()} {os.urandom(4).hex()}")
    actions.step("odd", "Ask", lambda step: step.says(str(operator.confirm("Go on?"))))
    clock.sleep(random.randrange(100_000))
    run.log(run.Severity.INFO, f"after {uuid.uuid4()} {time.time()} {time.monotonic()}")


def inner():
    raise ValueError("no disk\nin the machine")


def raises(actions):
    actions.step("odd", "Read the power state", lambda step: step.says(str(ipmi.get_power_state())))
    actions.step("odd", "Raise", lambda step: inner())


def exits(actions):
    sys.exit(3)


KINDS = {"closed": closed, "random": random_calls, "raises": raises, "exits": exits, "loops": None}


class Guest(exports.Guest):
    def describe(self):
        return wreimage.describe(
            "odd-python",
            "0.1.0",
            "Does what a guest should not",
            mutates=False,
            options=[
                wreimage.choice("what", KINDS, "What to do", required=True),
                wreimage.text("release", "Not used", role="target-release", choices_from="dhcp.releases"),
                *(wreimage.toggle(role, "Not used", role=role) for role in wreimage.ROLES[1:]),
            ],
        )

    def run(self):
        actions = wreimage.Actions()
        what = wreimage.options(run.get_request())["what"]
        while what == "loops":
            pass
        KINDS[what](actions)
        return actions.outcome("Done.")

    def on_ended(self, ending):
        if "no disk" in str(ending.cause):
            raise KeyError("in the closing words")
