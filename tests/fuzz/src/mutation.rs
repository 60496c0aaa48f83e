//! Components with small changes. The corpus has no component, only the changes: components are built from source.

use crate::shared::component;
use std::sync::OnceLock;

/// Components that are small, and differ in what they import and export.
const BASES: [&str; 6] = [
    "fixtures/reads.wasm",
    "fixtures/faults.wasm",
    "fixtures/plug-reads.wasm",
    "fixtures/plug-speaks.wasm",
    "fixtures/program.wasm",
    "site-partitioning.wasm",
];

/// Bytes of one change: what it does, where, and with which byte.
const CHANGE: usize = 5;

/// The components that inputs change.
pub(crate) fn bases() -> &'static [Vec<u8>] {
    static ALL: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    ALL.get_or_init(|| BASES.iter().map(|name| component(name)).collect())
}

/// The component that the first byte names.
pub(crate) fn base(choice: u8) -> &'static [u8] {
    let bases = bases();
    bases
        .get(usize::from(choice) % bases.len().max(1))
        .map_or(&[], Vec::as_slice)
}

/// The component after these changes.
pub(crate) fn changed(component: &[u8], changes: &[u8]) -> Vec<u8> {
    let mut bytes = component.to_vec();
    for change in changes.chunks_exact(CHANGE) {
        let &[kind, high, middle, low, value] = change else {
            continue;
        };
        let place = usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
        let at = place % bytes.len().max(1);
        match kind % 5 {
            0 => bytes.get_mut(at).into_iter().for_each(|it| *it = value),
            1 => bytes
                .get_mut(at)
                .into_iter()
                .for_each(|it| *it ^= 1 << (value % 8)),
            2 => bytes.insert(at.min(bytes.len()), value),
            3 => {
                let end = (at + usize::from(value)).min(bytes.len());
                bytes.drain(at.min(end)..end);
            }
            // A piece twice: sections and imports are then repeated.
            _ => {
                let end = (at + 4 * usize::from(value)).min(bytes.len());
                let piece = bytes.get(at..end).unwrap_or_default().to_vec();
                bytes.splice(end..end, piece);
            }
        }
    }
    bytes
}
