//! A live list on a terminal: what is done above, what is going on below.

use super::{Face, Source, words};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use jiff::Timestamp;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use wreimage_capability::Harmless;
use wreimage_journal::{Entry, Level, Record};
use wreimage_lab::Pace;

/// How often the line at the bottom is drawn.
const FRAME: Duration = Duration::from_millis(100);

pub struct Live {
    screen: MultiProgress,
    bar: ProgressBar,
    state: Arc<Mutex<State>>,
}

struct State {
    /// Seconds of the run's clock in a second.
    speed: f64,
    began: Option<Timestamp>,
    /// The time of the last record, and when it was made here.
    last: Option<(Timestamp, Instant)>,
    step: Option<Step>,
    why: String,
    warnings: usize,
    /// A prompt has the bottom of the screen.
    paused: bool,
}

struct Step {
    title: String,
    began: Timestamp,
    expected_ms: Option<u64>,
}

impl State {
    /// The present by the run's clock, guessed between two records.
    fn now(&self) -> Option<Timestamp> {
        let (time, seen) = self.last?;
        let passed = seen.elapsed().as_secs_f64() * self.speed;
        time.checked_add(Duration::try_from_secs_f64(passed).ok()?)
            .ok()
    }

    /// The line at the bottom.
    fn message(&self) -> Option<Harmless> {
        if self.paused {
            return None;
        }
        let now = self.now()?;
        let since = |then: Timestamp| {
            words::duration(u64::try_from(now.duration_since(then).as_millis()).unwrap_or(0))
        };
        let step = self.step.as_ref()?;
        let expected = step.expected_ms.map_or(String::new(), |expected| {
            format!(" of about {}", words::duration(expected))
        });
        let why = if self.why.is_empty() {
            String::new()
        } else {
            format!(" ({})", self.why)
        };
        let warnings = match self.warnings {
            0 => String::new(),
            1 => ", 1 warning".to_owned(),
            many => format!(", {many} warnings"),
        };
        Some(crate::output::print::one_line(&format!(
            "{} {}{expected}{why}   [{} in all{warnings}]",
            step.title,
            since(step.began),
            since(self.began?),
        )))
    }
}

impl Live {
    pub fn new(pace: Pace) -> Self {
        let screen = MultiProgress::new();
        let bar = screen.add(ProgressBar::new_spinner());
        if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg}") {
            bar.set_style(style);
        }
        let state = Arc::new(Mutex::new(State {
            speed: match pace {
                Pace::Speed(speed) => speed,
                Pace::Full | Pace::Real => 1.0,
            },
            began: None,
            last: None,
            step: None,
            why: String::new(),
            warnings: 0,
            paused: false,
        }));
        // The elapsed time moves between records too. The thread ends with the process or when the face is dropped.
        let (weak, drawn) = (Arc::downgrade(&state), bar.clone());
        std::thread::spawn(move || {
            while let Some(state) = weak.upgrade() {
                let message = state
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .message();
                drop(state);
                if let Some(message) = message
                    && !drawn.is_finished()
                {
                    drawn.set_message(message.as_str().to_owned());
                    drawn.tick();
                }
                std::thread::sleep(FRAME);
            }
        });
        Live { screen, bar, state }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A line above the one at the bottom, or below a prompt.
    fn print(&self, text: &str) {
        if self.state().paused {
            crate::output::print::line(text);
        } else {
            let _ = self.screen.println(crate::output::print::shown(text));
        }
    }
}

impl Face for Live {
    fn entry(&self, _from: &Source, entry: &Entry) {
        let mut state = self.state();
        state.began.get_or_insert(entry.time);
        state.last = Some((entry.time, Instant::now()));
        let mut took = String::new();
        match &entry.record {
            Record::StepBegan {
                phase,
                name,
                expected_ms,
            } => {
                state.step = Some(Step {
                    title: format!("{phase}: {name}"),
                    began: entry.time,
                    expected_ms: *expected_ms,
                });
                state.why.clear();
            }
            Record::StepEnded { level, .. } => {
                if let Some(step) = state.step.take() {
                    let passed = entry.time.duration_since(step.began).as_millis();
                    took = format!(
                        "  [{}]",
                        words::duration(u64::try_from(passed).unwrap_or(0))
                    );
                }
                state.warnings += usize::from(*level == Level::Warning);
            }
            Record::Note {
                level: Level::Warning,
                ..
            } => state.warnings += 1,
            Record::Progress { text, .. } => state.why.clone_from(text),
            _ => {}
        }
        drop(state);
        for (index, line) in words::lines(entry).into_iter().enumerate() {
            let line = if index == 0 {
                format!("{line}{took}")
            } else {
                line
            };
            self.print(&line);
        }
    }

    fn line(&self, text: &str) {
        self.print(text);
    }

    fn pause(&self) {
        self.state().paused = true;
        let _ = self.screen.clear();
    }

    fn resume(&self) {
        self.state().paused = false;
    }

    fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
