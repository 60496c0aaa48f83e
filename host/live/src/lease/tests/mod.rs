//! The real scripts and the real client, with a played way between them: messages that are lost or late, scripts that are
//! killed or stopped between two steps, a server that restarts, a folder that is lost or restored.

mod bad_input;
mod entries;
mod judge;
mod judgement;
mod parts;
mod processes;
mod protocol;
mod requests;
mod rig;
mod rules;
mod schedule;
mod way;
