//! Arguments that several commands share.

mod asking;
mod batch;
mod consented;
mod going;
mod pace;
mod period;
mod place;

pub use asking::Asking;
pub use batch::{Many, ManyAgain};
pub use consented::consented;
pub use going::Going;
pub use pace::pace;
pub use period::period;
pub use place::{HOST_OPTIONS, Output, Place};
