//! Components that are handed in as guests and plugs.

use crate::mutation::{base, changed};
use crate::shared::{engine, runtime};
use wreimage_engine::{Guest, Plug, Plugged};

/// The first byte of an input of which the rest is the file itself.
const AS_IT_IS: u8 = 0xff;
/// What is larger is not compiled here: how long that may take is bounded elsewhere.
const LARGEST: usize = 256 << 10;

fn file(data: &[u8]) -> Vec<u8> {
    match data.split_first() {
        Some((&AS_IT_IS, rest)) => rest.to_vec(),
        Some((&choice, changes)) => changed(base(choice), changes),
        None => Vec::new(),
    }
}

/// `wreimage inspect`: a file that is loaded as a guest and as a plug. Whatever is in it, the host says why it is refused, or has a
/// description with a name.
pub fn component(data: &[u8]) {
    let file = file(data);
    if file.len() > LARGEST {
        return;
    }
    runtime().block_on(async {
        match Guest::load(engine(), &file).await {
            Ok(guest) => assert!(!guest.description().name.is_empty()),
            Err(error) => assert!(!error.to_string().is_empty()),
        }
        match Plugged::load(engine(), &file).await {
            Ok(plug) => assert!(!plug.description.name.is_empty()),
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    });
}

/// Composition: a guest and a plug of which one is changed, and a composition that is changed afterwards. A composition that was made
/// is read back as one; one that was changed is never accepted as the guest and the plug that it was made of.
pub fn composition(data: &[u8]) {
    let &[guest, plug, what, ref changes @ ..] = data else {
        return;
    };
    let (guest, plug) = (base(guest), base(plug));
    let (guest, plug) = match what % 3 {
        0 => (changed(guest, changes), plug.to_vec()),
        1 => (guest.to_vec(), changed(plug, changes)),
        _ => (guest.to_vec(), plug.to_vec()),
    };
    let plugs = [Plug {
        label: "plug.wasm",
        bytes: &plug,
    }];
    let whole = match Guest::compose(&guest, &plugs) {
        Ok(whole) => whole,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    let whole = match what % 3 {
        2 => changed(&whole, changes),
        _ => whole,
    };
    if whole.len() > LARGEST {
        return;
    }
    let loaded = runtime().block_on(Guest::load(engine(), &whole));
    if let Err(error) = loaded {
        assert!(!error.to_string().is_empty());
    }
}
