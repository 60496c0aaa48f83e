//! `wreimage`: reimages servers by sandboxed WebAssembly guests.

use std::process::ExitCode;

fn main() -> ExitCode {
    wreimage::main()
}
