"""What guests of wreimage, and components that are plugged into them, are written with in Python: steps, options, and the
operator's word on what fails.

Three rules keep a run repeatable. What a guest asks the host for follows from its arguments and from the host's answers.
Waiting is done by the functions of `wit_world.imports`. And no state is kept between `run` and `on-ended`: the latter runs
in a fresh instance. Import at the top of a module: a guest that runs has no files.
"""

import unicodedata

from componentize_py_types import Err
from wit_world.imports import operator, run
from wit_world.imports.run import (
    Level_Failure,
    Level_Skipped,
    Level_Success,
    Level_Warning,
)
from wit_world.imports.types import Fault, FaultKind_Cancelled, FaultKind_Other, WaitPolicy

# A world exports one of the two: a guest describes itself and returns an outcome, a component that is plugged into one describes
# itself otherwise and returns findings.
try:
    from wit_world.exports.guest import (
        Description,
        OptionKind_Choice,
        OptionKind_Integer,
        OptionKind_Text,
        OptionKind_Toggle,
        OptionKind_Words,
        OptionSpec,
        Outcome,
        Verdict_Failed,
        Verdict_Success,
        Verdict_Warnings,
    )
except ImportError:
    from wit_world.exports import plug
    from wit_world.imports import hook_types

# Bytes of what a step has found, in the summary of a run: the whole is in the step.
_FINDING_LIMIT = 160


def describe(name, version, summary, mutates, options=()):
    """What a guest says of itself. One that says it changes nothing is refused when it does."""
    return Description(name, version, summary, mutates, list(options), [])


def describe_plug(name, version, summary, mutates):
    """What a component that is plugged in says of itself. The site file grants it capabilities by its name."""
    return plug.Description(name, version, summary, mutates, [])


# What an option can mean to the host: its value names the release to install; the guest continues with the system that is
# installed; the guest takes the host out of its services; the host is new and in no service.
ROLES = ("target-release", "keeps-system", "depools", "new-host")


def _option(
    kind, name, help, value_name=None, default=None, required=False, short=None, needs=(), role=None, choices_from=None
):
    """`role`: one of `ROLES`. `choices_from`: where its values can be found, `dhcp.releases` or `dhcp.media`."""
    if role is not None and role not in ROLES:
        raise ValueError(f"no option has the role {role!r}; there are {', '.join(ROLES)}")
    marks = [("role", role), ("choices-from", choices_from)]
    extra = [(mark, value) for mark, value in marks if value is not None]
    return OptionSpec(name, short, help, value_name, kind, default, required, list(needs), extra)


def toggle(name, help, **more):
    """An option that is given or not."""
    return _option(OptionKind_Toggle(), name, help, **more)


def text(name, help, **more):
    """An option with any text."""
    return _option(OptionKind_Text(), name, help, **more)


def integer(name, help, **more):
    """An option with a decimal integer."""
    return _option(OptionKind_Integer(), name, help, **more)


def words(name, help, **more):
    """An option with words separated by commas."""
    return _option(OptionKind_Words(), name, help, **more)


def choice(name, choices, help, **more):
    """An option that is one of these words."""
    return _option(OptionKind_Choice(list(choices)), name, help, **more)


def options(request):
    """The options of a request as a dictionary of texts; a toggle that was given is "true"."""
    return {option.name: option.value for option in request.options}


def wait_policy(deadline_s, interval_s):
    """Looks every `interval_s` seconds until `deadline_s` have passed, and then once more."""
    return WaitPolicy(int(deadline_s * 1000), int(interval_s * 1000))


def fault(code, message, system="guest"):
    """An exception that ends a step as a failure: what happened, to what, and what to do."""
    return Err(Fault(FaultKind_Other(code), code, False, system, message, []))


def _finding(name, text):
    """What somebody should look at, on one line: the name alone would read as an order."""
    found = " ".join("".join(" " if unicodedata.category(c) == "Cc" else c for c in text).split())
    if len(found.encode()) > _FINDING_LIMIT:
        found = found.encode()[: _FINDING_LIMIT - len("…".encode())].decode(errors="ignore") + "…"
    found = found.removesuffix(".")
    if not name:
        return found
    return f'"{name}": {found}' if found else f'"{name}"'


class Step:
    """What is to be said of a step when it ends. It ends as a success unless something else is said."""

    def __init__(self):
        self.level = Level_Success()
        self._texts = []
        self._evidence = []

    def says(self, text):
        """What was found or done."""
        self._texts.append(text)

    def warns(self, text):
        """Done, and this wants attention."""
        self.level = Level_Warning()
        self._texts.append(text)

    def fails(self, text):
        """Not done as it should be; the run goes on, and fails at its end."""
        self.level = Level_Failure()
        self._texts.append(text)

    def skips(self, why):
        """Not done, and why."""
        self.level = Level_Skipped()
        self._texts.append(why)

    def evidence(self, what, value):
        """A fact that was seen, for whoever has to judge the run later."""
        self._evidence.append((what, str(value)))

    def _text(self):
        before = [text.removesuffix(".") for text in self._texts[:-1]]
        return "; ".join(before + self._texts[-1:])


class Actions:
    """Everything that the guest has done so far, and what follows for the verdict."""

    def __init__(self):
        self._done = []
        self._asks = None

    def step(self, phase, name, work, usually_s=None):
        """Begins a step, does `work(step)`, which returns nothing, and ends it with what was said of it.

        A fault (`Err`) ends the step as a failure and is raised; but first the operator decides whether it is done once
        more, left out or the end, if the run was started with `--on-failure ask` or `pause`.
        """
        if self._do(phase, name, work, usually_s, can_skip=True) is not None:
            raise TypeError(f'the step "{name}" returns a value: begin it with `value`')

    def value(self, phase, name, work, usually_s=None):
        """As `step`, for work whose value is needed, and which therefore cannot be left out: returns what `work` returned."""
        return self._do(phase, name, work, usually_s, can_skip=False)

    def _do(self, phase, name, work, usually_s, can_skip):
        run.step_begin(phase, name, None if usually_s is None else int(usually_s * 1000))
        step = Step()
        while True:
            try:
                value = work(step)
            except Err as error:
                decision = self._decide(name, error.value, can_skip)
                message = error.value.message
                if decision == "retry":
                    step.warns(f"{message}; the operator had it done once more")
                    continue
                if decision == "skip":
                    step.warns(f"{message}; the operator left it out")
                    value = None
                    break
                step.fails(message)
                step.evidence("fault", error.value.code)
                self._end(phase, name, step)
                raise
            break
        self._end(phase, name, step)
        return value

    def note(self, level, text):
        """Reports something that is not the end of a step, and remembers it for the verdict."""
        run.note(level, text)
        self._done.append((level, "", text))

    def outcome(self, headline):
        """The outcome of a run that came to its end: the headline, and the steps that somebody should look at."""
        levels = [level for level, _, _ in self._done]
        unwell = [
            _finding(name, text)
            for level, name, text in self._done
            if isinstance(level, (Level_Warning, Level_Failure))
        ]
        if any(isinstance(level, Level_Failure) for level in levels):
            verdict = Verdict_Failed()
        elif unwell:
            verdict = Verdict_Warnings()
        else:
            verdict = Verdict_Success()
        look = f" Look at: {'; '.join(unwell)}." if unwell else ""
        return Outcome(verdict, headline + look, [])

    def findings(self):
        """What a hook returns: the guest takes what was found into its verdict."""
        levels = {
            Level_Success: hook_types.Level_Success,
            Level_Warning: hook_types.Level_Warning,
            Level_Failure: hook_types.Level_Failure,
            Level_Skipped: hook_types.Level_Skipped,
        }
        return [hook_types.Finding(name, levels[type(level)](), text, []) for level, name, text in self._done]

    def _end(self, phase, name, step):
        run.step_end(step.level, step._text(), step._evidence)
        self._done.append((step.level, name, step._text()))

    def _decide(self, name, fault, can_skip):
        if isinstance(fault.kind, FaultKind_Cancelled):
            return "abort"
        if self._asks is None:
            wanted = dict(run.get_request().extra).get("on-failure")
            self._asks = wanted in ("ask", "pause")
        if not self._asks:
            return "abort"
        choices = [operator.Choice("retry", "do the step once more")]
        if can_skip:
            choices.append(operator.Choice("skip", "go on without it, or after it was done by hand"))
        choices.append(operator.Choice("abort", "end the run, and take back what must not stay"))
        try:
            return operator.choose(f'"{name}" has failed: {fault.message}', choices)
        except Err:
            return "abort"
