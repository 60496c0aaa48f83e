//! The commands: each file has the arguments of one, its help, and what it does.

pub mod answer;
pub mod attach;
pub mod build;
pub mod cancel;
pub mod cleanup;
pub mod completions;
pub mod compose;
pub mod inspect;
pub mod lab;
pub mod lock;
pub mod logs;
pub mod man;
pub mod new;
pub mod resume;
pub mod run;
pub mod runs;
pub mod show;
pub mod site;
pub mod test;
pub mod watch;
