// What guests of wreimage, and components that are plugged into them, are written with in JavaScript: steps, options, and the
// operator's word on what fails.
//
// Three rules keep a run repeatable. What a guest asks the host for follows from its arguments and from the host's answers.
// Waiting is done by the functions of the host. And no state is kept between `run` and `onEnded`: the latter runs in a fresh
// instance.

import operator from "wreimage:operator/operator@0.1.0";
import run from "wreimage:run/run@0.1.0";

// Bytes of what a step has found, in the summary of a run: the whole is in the step.
const FINDING_LIMIT = 160;

export const SUCCESS = { tag: "success" };
export const WARNING = { tag: "warning" };
export const FAILURE = { tag: "failure" };
export const SKIPPED = { tag: "skipped" };

// What a guest says of itself. One that says it changes nothing is refused when it does.
export function describe(name, version, summary, mutates, options = []) {
  return { name, version, summary, mutates, options, extra: [] };
}

// What a component that is plugged in says of itself. The site file grants it capabilities by its name.
export function describePlug(name, version, summary, mutates) {
  return { name, version, summary, mutates, extra: [] };
}

// What an option can mean to the host: its value names the release to install; the guest continues with the system that is
// installed; the guest takes the host out of its services; the host is new and in no service.
export const ROLES = ["target-release", "keeps-system", "depools", "new-host"];

// An option; `kind` is "toggle", "text", "integer", "words", or a list of the words that can be chosen. In `more`, `role` is one
// of `ROLES`, and `choicesFrom` says where its values can be found: "dhcp.releases" or "dhcp.media".
export function option(kind, name, help, { role, choicesFrom, ...more } = {}) {
  if (role !== undefined && !ROLES.includes(role)) {
    throw new TypeError(`no option has the role "${role}"; there are ${ROLES.join(", ")}`);
  }
  const marks = [["role", role], ["choices-from", choicesFrom]];
  return {
    name,
    short: null,
    help,
    valueName: null,
    kind: Array.isArray(kind) ? { tag: "choice", val: kind } : { tag: kind },
    default: null,
    required: false,
    needs: [],
    extra: marks.filter(([, value]) => value !== undefined),
    ...more,
  };
}

// The options of a request by name, as texts; a toggle that was given is "true".
export function options(request) {
  return Object.fromEntries(request.options.map((option) => [option.name, option.value]));
}

// Looks every `intervalS` seconds until `deadlineS` have passed, and then once more.
export function waitPolicy(deadlineS, intervalS) {
  return { deadlineMs: deadlineS * 1000, intervalMs: intervalS * 1000 };
}

// To be thrown: ends a step as a failure. What happened, to what, and what to do.
export function fault(code, message, system = "guest") {
  return { kind: { tag: "other", val: code }, code, retryable: false, system, message, extra: [] };
}

// A fault of the host or of `fault`, and no error of the program.
export function isFault(thrown) {
  return typeof thrown === "object" && thrown !== null && "kind" in thrown && "code" in thrown;
}

// A fault of the host arrives within an error.
function unwrapped(error) {
  return isFault(error) ? error : (error?.payload ?? error);
}

// What somebody should look at, on one line: the name alone would read as an order.
function finding(name, text) {
  const line = text.split(/[\s\p{Cc}]+/u).filter((word) => word !== "").join(" ");
  const found = bounded(line, FINDING_LIMIT).replace(/\.$/, "");
  if (!name) return found;
  return found ? `"${name}": ${found}` : `"${name}"`;
}

// At most so many bytes of UTF-8, cut between two characters.
function bounded(text, limit) {
  const bytes = (word) => unescape(encodeURIComponent(word)).length;
  if (bytes(text) <= limit) return text;
  let cut = "";
  let left = limit - bytes("…");
  for (const character of text) {
    left -= bytes(character);
    if (left < 0) break;
    cut += character;
  }
  return `${cut}…`;
}

// What is to be said of a step when it ends. It ends as a success unless something else is said.
class Step {
  level = SUCCESS;
  #texts = [];
  #evidence = [];

  // What was found or done.
  says(text) {
    this.#texts.push(text);
  }

  // Done, and this wants attention.
  warns(text) {
    this.level = WARNING;
    this.#texts.push(text);
  }

  // Not done as it should be; the run goes on, and fails at its end.
  fails(text) {
    this.level = FAILURE;
    this.#texts.push(text);
  }

  // Not done, and why.
  skips(why) {
    this.level = SKIPPED;
    this.#texts.push(why);
  }

  // A fact that was seen, for whoever has to judge the run later.
  evidence(what, value) {
    this.#evidence.push([what, String(value)]);
  }

  get text() {
    const last = this.#texts.length - 1;
    return this.#texts.map((text, at) => (at < last ? text.replace(/\.$/, "") : text)).join("; ");
  }

  get seen() {
    return this.#evidence;
  }
}

// Everything that the guest has done so far, and what follows for the verdict.
export class Actions {
  #done = [];
  #asks = null;

  // Begins a step, does `work(step)`, which returns nothing, and ends it with what was said of it. `usuallyS`: how long it
  // takes, in seconds.
  //
  // A fault ends the step as a failure and is thrown on; but first the operator decides whether it is done once more, left
  // out or the end, if the run was started with `--on-failure ask` or `pause`.
  step(phase, name, work, usuallyS = null) {
    if (this.#do(phase, name, work, usuallyS, true) !== undefined) {
      throw new TypeError(`the step "${name}" returns a value: begin it with \`value\``);
    }
  }

  // As `step`, for work whose value is needed, and which therefore cannot be left out: returns what `work` returned.
  value(phase, name, work, usuallyS = null) {
    return this.#do(phase, name, work, usuallyS, false);
  }

  #do(phase, name, work, usuallyS, canSkip) {
    run.stepBegin(phase, name, usuallyS === null ? null : usuallyS * 1000);
    const step = new Step();
    for (;;) {
      try {
        const value = work(step);
        this.#end(name, step);
        return value;
      } catch (error) {
        const thrown = unwrapped(error);
        if (!isFault(thrown)) throw error;
        const decision = this.#decide(name, thrown, canSkip);
        if (decision === "retry") {
          step.warns(`${thrown.message}; the operator had it done once more`);
          continue;
        }
        if (decision === "skip") {
          step.warns(`${thrown.message}; the operator left it out`);
          this.#end(name, step);
          return undefined;
        }
        step.fails(thrown.message);
        step.evidence("fault", thrown.code);
        this.#end(name, step);
        throw thrown;
      }
    }
  }

  // Reports something that is not the end of a step, and remembers it for the verdict.
  note(level, text) {
    run.note(level, text);
    this.#done.push({ level, name: "", text });
  }

  // The outcome of a run that came to its end: the headline, and the steps that somebody should look at.
  outcome(headline) {
    const unwell = this.#done.filter(({ level }) => level.tag === "warning" || level.tag === "failure");
    const failed = unwell.some(({ level }) => level.tag === "failure");
    const found = unwell.map(({ name, text }) => finding(name, text));
    return {
      verdict: { tag: failed ? "failed" : unwell.length ? "warnings" : "success" },
      summary: headline + (found.length ? ` Look at: ${found.join("; ")}.` : ""),
      extra: [],
    };
  }

  // What a hook returns: the guest takes what was found into its verdict.
  findings() {
    return this.#done.map(({ level, name, text }) => ({ name, level, text, extra: [] }));
  }

  #end(name, step) {
    run.stepEnd(step.level, step.text, step.seen);
    this.#done.push({ level: step.level, name, text: step.text });
  }

  #decide(name, fault, canSkip) {
    if (fault.kind.tag === "cancelled") return "abort";
    if (this.#asks === null) {
      const wanted = Object.fromEntries(run.getRequest().extra)["on-failure"];
      this.#asks = wanted === "ask" || wanted === "pause";
    }
    if (!this.#asks) return "abort";
    const choices = [
      { key: "retry", label: "do the step once more" },
      ...(canSkip ? [{ key: "skip", label: "go on without it, or after it was done by hand" }] : []),
      { key: "abort", label: "end the run, and take back what must not stay" },
    ];
    try {
      return operator.choose(`"${name}" has failed: ${fault.message}`, choices);
    } catch (error) {
      if (!isFault(unwrapped(error))) throw error;
      return "abort";
    }
  }
}

function log(severity) {
  return (...values) => run.log(severity, values.map(String).join(" "));
}

// The language has no console of its own here: these are lines of the run's log.
globalThis.console = {
  debug: log("debug"),
  log: log("info"),
  info: log("info"),
  warn: log("warn"),
  error: log("error"),
};
