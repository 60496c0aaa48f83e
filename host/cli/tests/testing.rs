//! `wreimage test`: scenarios that prove something, scenarios that would not, and the sweep.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use common::{Done, User};

/// Plays a scenario of this text.
fn play(text: &str, more: &[&str]) -> Done {
    let user = User::new();
    let file = user.file("tried.toml", text);
    let mut arguments = vec!["test", "reimage", &file];
    arguments.extend(more);
    user.wreimage(&arguments)
}

/// A reimage of the healthy host, with this more.
fn with(more: &str) -> String {
    format!("[options]\nos = \"bullseye\"\n{more}")
}

const GOOD: &str = "[expect]\noutcome = \"success\"\n";

#[test]
fn a_scenario_that_holds_passes() {
    let done = play(
        &with(
            "[expect]\noutcome = \"success\"\nexit-code = 0\ntouched = true\nleft = []\n\
             calls = { \"ipmi.set-power\" = 1, \"puppet-ca.clean\" = \"1..\" }\n\
             order = [\"dhcp.publish\", \"ipmi.set-power\", \"dhcp.withdraw\"]\n\
             steps = { \"install: Reboot the host via IPMI\" = \"success\" }\n\
             max-time = \"3h\"\nmax-power-cycles = 1\n\
             must = [\"world.certificate.ours\", \"run.failed_steps == []\"]\n\
             [expect.world]\nrelease = \"bullseye\"\ndhcp.published = false\n",
        ),
        &[],
    );
    done.ends_with(0, &["PASS", "tried (success)", "1 passed, 0 failed"]);
}

#[test]
fn what_does_not_hold_is_named() {
    let done = play(
        &with(
            "[expect]\noutcome = \"failed\"\nleft = [\"a thing\"]\nsays = [\"never said\"]\n\
             calls = { \"ipmi.set-power\" = 0 }\norder = [\"dhcp.withdraw\", \"dhcp.publish\"]\n\
             steps = { \"Reboot the host via IPMI\" = \"failure\" }\nmax-time = \"1min\"\n\
             max-power-cycles = 0\nmust = [\"world.power == 'off'\"]\nworld.release = \"buster\"\n",
        ),
        &[],
    );
    done.ends_with(
        1,
        &[
            "FAIL",
            "expected failed, found success",
            "left: expected",
            "`never said` is nowhere",
            "ipmi.set-power: expected 0, found 1",
            "order: after",
            "expected failure, found success",
            "max-time",
            "max-power-cycles: expected 0, found 1",
            "world.power == 'off'",
            "world.release: expected \"buster\", found \"bullseye\"",
            "0 passed, 1 failed",
        ],
    );
}

#[test]
fn a_scenario_that_would_prove_nothing_is_an_error() {
    let fault = |rest: &str| with(&format!("{GOOD}[[fault]]\n{rest}"));
    for (text, words) in [
        (with(""), vec!["expects nothing"]),
        (with("[expect]\n"), vec!["expects nothing"]),
        (with("[expect]\noutcom = \"success\"\n"), vec!["outcom"]),
        (format!("{GOOD}[option]\n"), vec!["option"]),
        (
            with("[expect]\noutcome = \"succes\"\n"),
            vec!["did you mean `success`"],
        ),
        (
            format!("host = \"host9\"\n{}", with(GOOD)),
            vec!["no host `host9`"],
        ),
        (
            with(&format!(
                "[world.machine.host1001.bmc]\nkeeps = true\n{GOOD}"
            )),
            vec!["keeps"],
        ),
        (
            with("[expect]\nworld.relase = \"x\"\n"),
            vec!["no fact `relase`", "did you mean `release`"],
        ),
        (
            with("[expect]\nmust = [\"world.\"]\n"),
            vec!["cannot be read"],
        ),
        (with("[expect.world.dhcp]\n"), vec!["expects nothing"]),
        (
            with("[expect]\nsays = [\"\"]\n"),
            vec!["an empty text is in every line"],
        ),
        (
            with("[expect]\ncalls = { \"ipmi.set-power\" = \"0..\" }\n"),
            vec!["`0..` expects nothing"],
        ),
        (
            with("[expect]\ncalls = { \"ipmi.set-powr\" = 1 }\n"),
            vec![
                "no function `ipmi.set-powr`",
                "did you mean `ipmi.set-power`",
            ],
        ),
        (
            with("[expect]\ncalls = { \"ipmi.set-power\" = \"2..1\" }\n"),
            vec!["2..1", "count"],
        ),
        (
            fault("call = \"ipmi.fly\"\nfault = \"timeout\"\n"),
            vec!["no function `ipmi.fly`"],
        ),
        (
            fault("call = \"operator.confirm\"\nfault = \"timeout\"\n"),
            vec!["answered by the host itself"],
        ),
        (
            fault("call = \"ipmi.set-power\"\nfault = \"timeuot\"\n"),
            vec!["did you mean `timeout`"],
        ),
        (
            fault("call = \"ipmi.set-power\"\n"),
            vec!["nothing happens"],
        ),
        (
            fault("call = \"ipmi.set-power\"\ncancel = true\nlie = true\n"),
            vec!["only one thing"],
        ),
        (
            fault("call = \"ipmi.set-power\"\nnth = 0\ncancel = true\n"),
            vec!["from 1"],
        ),
        (
            fault("call = \"ipmi.set-power\"\ntimes = 0\ncancel = true\n"),
            vec!["it would never happen"],
        ),
        (
            fault("call = \"ipmi.get-power-state\"\nlie = true\n"),
            vec!["changes something"],
        ),
        (
            fault("call = \"dhcp.publish\"\nlie = true\n"),
            vec!["write the answer"],
        ),
        (
            fault("call = \"dhcp.publish\"\ndelay = \"soon\"\n"),
            vec!["span of time"],
        ),
        (
            fault("call = \"dhcp.publish\"\ndelay = \"99999999999h\"\n"),
            vec!["longer than a year"],
        ),
        (
            fault("call = \"remote.wait-for-boot\"\nfault = \"timeout\"\nhappens = true\n"),
            vec!["calls that change something"],
        ),
        (
            fault("call = \"ipmi.get-power-state\"\nvalue = \"asleep\"\n"),
            vec!["ipmi.get-power-state cannot answer this", "asleep"],
        ),
        (
            fault(
                "call = \"puppet.first-run\"\nvalue = { succeeded = true, status = 0, output_tail = \"\", extra = [], blop = \"x\" }\n",
            ),
            vec!["puppet.first-run cannot answer this", "no field `blop`"],
        ),
        (
            fault("call = \"icinga.remove-downtime\"\nlie = \"yes\"\n"),
            vec!["icinga.remove-downtime cannot answer this"],
        ),
        (
            format!("[options]\nos = \"bullseye\"\nfast = true\n{GOOD}"),
            vec!["--fast"],
        ),
        (GOOD.to_owned(), vec!["--os"]),
        ("not toml".to_owned(), vec!["tried.toml"]),
    ] {
        play(&text, &[]).ends_with(64, &words);
    }
    User::new()
        .wreimage(&["test", "reimage", "nowhere"])
        .ends_with(64, &["nowhere", "no scenario"]);
    User::new()
        .wreimage(&["test", "reimage"])
        .ends_with(64, &["scenarios"]);
}

#[test]
fn what_never_came_about_fails_the_scenario() {
    play(
        &with(&format!(
            "{GOOD}[[fault]]\ncall = \"ipmi.set-power\"\nnth = 7\nfault = \"timeout\"\n"
        )),
        &[],
    )
    .ends_with(1, &["never came about: ipmi.set-power#7 timeout"]);
    play(
        &with(&format!(
            "{GOOD}[[answer]]\nquestion = \"anything\"\nchoice = \"retry\"\n"
        )),
        &[],
    )
    .ends_with(1, &["`retry` was not asked for"]);
    play(
        &with(&format!(
            "{GOOD}[[fault]]\ncall = \"ipmi.get-power-state\"\nnoise = \"motd\"\n"
        )),
        &[],
    )
    .ends_with(1, &["never came about: ipmi.get-power-state noise"]);
    let earlier = |rest: &str| {
        let earlier = "[[earlier]]\noptions = { os = \"bullseye\" }\noutcome = \"success\"\n";
        play(&with(&format!("{GOOD}{earlier}{rest}")), &[])
    };
    earlier("").ends_with(0, &[]);
    earlier("[[earlier.fault]]\ncall = \"ipmi.set-power\"\nnth = 7\nfault = \"timeout\"\n")
        .ends_with(
            1,
            &["in an [[earlier]] run: a fault never came about: ipmi.set-power#7 timeout"],
        );
    earlier("[[earlier.answer]]\nquestion = \"anything\"\nchoice = \"retry\"\n").ends_with(
        1,
        &["in an [[earlier]] run: the answer `retry` was not asked for"],
    );
    play(
        &with("[expect]\nmust = [\"run.outcom == 'success'\"]\n"),
        &[],
    )
    .ends_with(1, &["cannot be judged"]);
}

#[test]
fn each_kind_of_fault_does_what_it_says() {
    for (fault, expect) in [
        (
            "call = \"ipmi.set-power\"\nfault = \"unreachable\"\nnth = 1",
            "outcome = \"success\"\ncalls = { \"ipmi.set-power\" = 2 }\nmax-power-cycles = 1",
        ),
        (
            "call = \"ipmi.set-power\"\nfault = \"timeout\"\nhappens = true\nnth = 1",
            "outcome = \"success\"\ncalls = { \"ipmi.set-power\" = 1 }\nmax-power-cycles = 1",
        ),
        (
            "call = \"ipmi.set-power\"\nfault = \"rejected\"\nmessage = \"the chassis says no\"",
            "exit-code = 21\nsummary = [\"the chassis says no\"]\nworld.release = \"buster\"",
        ),
        (
            "call = \"remote.wait-for-boot\"\nnth = 1\nfault = \"timeout\"",
            "outcome = \"failed\"\nsays = [\"as the scenario has it\"]\nmust = [\"run.calls['puppet-ca.sign'] is not defined\"]",
        ),
        (
            "call = \"icinga.recheck\"\nlie = true",
            "outcome = \"success\"\nworld.icinga.optimal = true",
        ),
        (
            "call = \"ipmi.set-power\"\ncrash = \"after\"",
            "outcome = \"success\"\nmax-power-cycles = 1",
        ),
        (
            "call = \"dhcp.publish\"\ncrash = \"before\"",
            "outcome = \"success\"\nmax-power-cycles = 1",
        ),
        (
            "call = \"dhcp.publish\"\ncancel = true",
            "outcome = \"cancelled\"\nexit-code = 30\nworld.dhcp.published = false",
        ),
        (
            "call = \"icinga.recheck\"\ndelay = \"4min\"",
            "outcome = \"success\"",
        ),
        (
            "call = \"icinga.recheck\"\ndelay = \"20min\"",
            "outcome = \"warnings\"\nsays = [\"icinga.recheck did not end within 300 s\"]\nmax-time = \"3h\"",
        ),
        (
            "call = \"remote.wait-for-boot\"\nnth = 1\ndelay = \"2min\"",
            "outcome = \"success\"\nmax-time = \"3h\"",
        ),
        (
            "call = \"ipmi.get-power-state\"\nvalue = { Unknown = \"???\" }",
            "outcome = \"refused\"\ncalls = { \"ipmi.set-power\" = 0 }",
        ),
        (
            "call = \"puppet.first-run\"\nwhen = \"world.dhcp.published == false\"\nfault = \"rejected\"",
            "outcome = \"failed\"",
        ),
    ] {
        let text = with(&format!("[[fault]]\n{fault}\n[expect]\n{expect}\n"));
        let done = play(&text, &[]);
        assert_eq!(done.code, 0, "{fault}:\n{}", done.said());
    }
}

/// One scenario that comes to no end is one that has failed: the others are played and told.
#[test]
fn what_comes_to_no_end_is_a_failure_among_others() {
    let user = User::new();
    let good = user.file("good.toml", with(GOOD));
    let bad = user.file(
        "bad.toml",
        with(&format!(
            "{GOOD}[[earlier]]\noptions = {{ os = \"bullseye\" }}\noutcome = \"failed\"\n"
        )),
    );
    user.wreimage(&["test", "reimage", &bad, &good]).ends_with(
        1,
        &[
            "bad (no end)",
            "an [[earlier]] run ended as `success`, not as `failed`",
            "good (success)",
            "1 passed, 1 failed",
        ],
    );
    user.wreimage(&[
        "test",
        "reimage",
        &bad,
        &good,
        "--sweep",
        "--case",
        "ipmi.set-power#1 rejected",
    ])
    .ends_with(
        1,
        &[
            "bad: without a fault (no end)",
            "a sweep of it would prove nothing",
            "sweep of good: 1 cases",
            "1 passed, 1 failed",
        ],
    );
}

#[test]
fn results_are_told_to_programs_as_well() {
    let user = User::new();
    let good = user.file("good.toml", with(GOOD));
    let bad = user.file("bad.toml", with("[expect]\noutcome = \"failed\"\n"));
    let junit = user.home.path().join("junit.xml").display().to_string();
    let done = user.wreimage(&[
        "test", "reimage", &good, &bad, "--output", "json", "--junit", &junit,
    ]);
    assert_eq!(done.code, 1, "{}", done.said());
    let events = done.events();
    assert_eq!(events[0]["name"], "good");
    assert_eq!(events[0]["passed"], true);
    assert_eq!(events[1]["passed"], false);
    assert_eq!(events[2]["event"], "summary");
    assert_eq!(events[2]["failed"], 1);
    let junit = std::fs::read_to_string(junit).unwrap();
    assert!(
        junit.contains("tests=\"2\"") && junit.contains("expected failed"),
        "{junit}"
    );
    user.wreimage(&["test", "reimage", &good, &bad, "--filter", "good"])
        .ends_with(0, &["1 scenario: 1 passed"]);
}

#[test]
fn a_journal_is_compared_with_the_one_that_was_kept() {
    let user = User::new();
    let file = user.file("kept.toml", with(GOOD));
    let test = |more: &[&str]| {
        let mut arguments = vec!["test", "reimage", &file];
        arguments.extend(more);
        user.wreimage(&arguments)
    };
    let failing = user.file("failing.toml", with("[expect]\noutcome = \"failed\"\n"));
    user.wreimage(&["test", "reimage", &failing, "--record"])
        .ends_with(1, &["expected failed"]);
    assert!(!user.home.path().join("failing.snap").exists());
    test(&["--record"]).ends_with(0, &[]);
    let kept = user.home.path().join("kept.snap");
    let text = std::fs::read_to_string(&kept).unwrap();
    assert!(text.contains("ipmi.set-power"), "{text}");
    test(&[]).ends_with(0, &[]);
    std::fs::write(&kept, text.replace("set-power", "set-pauer")).unwrap();
    test(&["--record"]).ends_with(1, &["--accept", "set-pauer", "set-power"]);
    test(&["--accept"]).ends_with(0, &[]);
    assert_eq!(std::fs::read_to_string(&kept).unwrap(), text);
}

#[test]
fn one_case_of_the_sweep() {
    let user = User::new();
    let case = |case: &str| user.wreimage(&["test", "reimage", "--sweep", "--case", case]);
    case("ipmi.set-power#1 timeout-after").ends_with(0, &["1 case: 1 passed"]);
    case("ipmi.set-power#9 timeout").ends_with(64, &["no case `ipmi.set-power#9 timeout`"]);
    case("ipmi.set-power timeout").ends_with(64, &["is not a case"]);
    case("ipmi.get-power-state#1 lie").ends_with(64, &["changes nothing"]);
    let filter = |text: &str, code, words: &[&str]| {
        let file = user.file("tried.toml", with(GOOD));
        for scenario in [None, Some(file.as_str())] {
            let mut arguments = vec!["test", "reimage", "--sweep", "--filter", text];
            arguments.extend(scenario);
            user.wreimage(&arguments).ends_with(code, words);
        }
    };
    filter(
        "dhcp.get-published#1 crash",
        0,
        &[
            "2 cases (crash 2)",
            "crash: 2, 2 passed",
            "2 cases: 2 passed",
        ],
    );
    user.wreimage(&[
        "test",
        "reimage",
        "--sweep",
        "--kind",
        "fault",
        "--filter",
        "dhcp.get-published#1",
    ])
    .ends_with(0, &["5 cases (fault 5)", "5 cases: 5 passed"]);
    user.wreimage(&["test", "reimage", "--sweep", "--kind", "crsh"])
        .ends_with(64, &["crash", "power"]);
    filter("dhcp.pubilsh", 64, &["there is no case to play"]);
}

/// Faults of the scenario itself need not come about in a case that ends before them, and a system that is gone is gone
/// for all its functions.
#[test]
fn a_case_is_judged_by_its_own_fault() {
    let user = User::new();
    let file = user.file(
        "tried.toml",
        with(&format!(
            "{GOOD}[[fault]]\ncall = \"ipmi.set-power\"\nnth = 1\nfault = \"unreachable\"\n"
        )),
    );
    let gone = user.file(
        "gone.toml",
        "[[invariant]]\nname = \"all of it is gone\"\nwhen = \"case.fault == 'gone'\"\n\
         must = \"run.left[0] is startingwith 'the boot override could not be taken back'\"\n",
    );
    for case in ["netbox.get-device#1 rejected", "ipmi.set-power#1 gone"] {
        user.wreimage(&[
            "test",
            "reimage",
            &file,
            "--sweep",
            "--case",
            case,
            "--invariants",
            &gone,
        ])
        .ends_with(0, &["1 case: 1 passed"]);
    }
}

/// What no run has judged holds of nothing; that is said, and what never could be judged is refused.
#[test]
fn an_invariant_that_was_never_judged_is_named() {
    let user = User::new();
    let reads = common::fixture("reads");
    let file = user.file("tried.toml", "[expect]\noutcome = \"success\"\n");
    let sweep = |invariant: &str| {
        let own = user.file(
            "own.toml",
            format!("[[invariant]]\nname = \"ours\"\n{invariant}"),
        );
        user.wreimage(&["test", &reads, &file, "--sweep", "--invariants", &own])
    };
    sweep("must = \"true\"\nwhen = \"run.exit_code == 99\"\n")
        .ends_with(0, &["never judged: ours"]);
    let judged = sweep("must = \"true\"\n").ends_with(0, &["0 failed"]);
    assert!(!judged.said().contains("never judged"), "{}", judged.said());
    sweep("before = []\nmust = \"true\"\n").ends_with(64, &["ours", "no function is named"]);
}

/// The invariants are not decoration: one that does not hold is named, with the line that shows it again.
#[test]
fn a_case_that_breaks_an_invariant_says_how_to_see_it_again() {
    let user = User::new();
    let own = user.file(
        "own.toml",
        "[[invariant]]\nname = \"power is left alone\"\nbefore = [\"ipmi.set-power\"]\nmust = \"false\"\n\
         when = \"case.fault == 'timeout'\"\nwhy = \"ours\"\n",
    );
    let done = user.wreimage(&[
        "test",
        "reimage",
        "--sweep",
        "--invariants",
        &own,
        "--case",
        "ipmi.set-power#1 timeout",
    ]);
    done.ends_with(
        1,
        &[
            "invariant `power is left alone` is broken",
            "(ours)",
            "again: wreimage test reimage --invariants",
            "--sweep --case 'ipmi.set-power#1 timeout'",
        ],
    );
    // Of several scenarios, the line names the one, whatever its name.
    let first = user.file("first one.toml", with(GOOD));
    let second = user.file(
        "second.toml",
        format!("host = \"host1004\"\n{}", with(GOOD)),
    );
    let done = user.wreimage(&[
        "test",
        "reimage",
        &first,
        &second,
        "--sweep",
        "--invariants",
        &own,
        "--filter",
        "ipmi.set-power#1 timeout",
    ]);
    let again = format!(
        "again: wreimage test reimage '{first}' --invariants {own} --sweep --case 'ipmi.set-power#1 timeout'"
    );
    done.ends_with(
        1,
        &[
            "first one: ipmi.set-power#1 timeout",
            "second: ipmi.set-power#1 timeout",
            &again,
        ],
    );
    user.wreimage(&[
        "test",
        "reimage",
        &first,
        "--invariants",
        &own,
        "--sweep",
        "--case",
        "ipmi.set-power#1 timeout",
    ])
    .ends_with(1, &["1 case: 0 passed"]);
    let without = common::fixture("reads");
    user.wreimage(&["test", &without, "--sweep"])
        .ends_with(64, &["without invariants", "--invariants"]);
}

/// Whatever goes wrong in whichever call, what must hold does: with the default options, with all that reach further, on
/// UEFI, for a new host, and with a BMC that keeps the boot override.
#[test]
fn the_reimage_keeps_its_invariants_whatever_goes_wrong() {
    let more = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/sweeps");
    for arguments in [
        vec!["test", "reimage", "--sweep"],
        // The other kinds take minutes with all of these.
        [
            vec!["test", "reimage", more, "--sweep"],
            vec!["--kind", "crash", "--kind", "fault", "--kind", "partial"],
        ]
        .concat(),
    ] {
        User::new()
            .wreimage(&arguments)
            .ends_with(0, &["cases", "0 failed"]);
    }
}
