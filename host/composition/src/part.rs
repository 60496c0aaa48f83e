//! A composition taken apart again.

use crate::error::ComposeError;
use crate::graph;
use crate::interface::DESCRIBE;
use sha2::{Digest, Sha256};
use std::ops::Range;
use wasmparser::{Parser, Payload};

/// The custom section that says what the components in a composition are.
pub(crate) const SECTION: &str = "wreimage:composition";

/// The version of that section.
const FORMAT: &str = "1";

/// What a component does in a composition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The guest, which has the hooks.
    Core,
    /// What serves the hooks that nobody else does.
    Defaults,
    /// A component of a site.
    Plug,
}

impl Role {
    fn word(self) -> &'static str {
        match self {
            Role::Core => "core",
            Role::Defaults => "defaults",
            Role::Plug => "plug",
        }
    }
}

/// One component of a composition, as it was before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part<'a> {
    /// What it does.
    pub role: Role,
    /// Its file.
    pub bytes: &'a [u8],
    /// Where it lies in the composition; empty when it is in none.
    pub range: Range<usize>,
}

impl<'a> Part<'a> {
    pub(crate) fn new(role: Role, bytes: &'a [u8]) -> Self {
        Part {
            role,
            bytes,
            range: 0..0,
        }
    }

    /// SHA-256 of its file, in hexadecimal.
    pub fn digest(&self) -> String {
        hex::encode(Sha256::digest(self.bytes))
    }
}

/// The components of a composition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Composition<'a> {
    /// The guest.
    pub core: Part<'a>,
    /// The defaults of its hooks.
    pub defaults: Option<Part<'a>>,
    /// What is plugged in, in order: the first has number 1.
    pub plugs: Vec<Part<'a>>,
}

impl<'a> Composition<'a> {
    /// Takes a composition apart. `None` for a file that is none.
    ///
    /// # Errors
    /// When it says that it is one and cannot be read as one. Whether it is what its parts make is not looked at: see
    /// [`verify`](Composition::verify).
    pub fn read(bytes: &'a [u8]) -> Result<Option<Self>, ComposeError> {
        let unreadable = |why: &str| ComposeError::Unreadable(why.to_owned());
        // What is no WebAssembly is told by whoever loads it.
        let Ok(top) = top(bytes) else {
            return Ok(None);
        };
        let Some(section) = top.section else {
            return Ok(None);
        };
        let roles =
            std::str::from_utf8(&section).map_err(|error| unreadable(&error.to_string()))?;
        let ranges = top.components;
        let mut words = roles.split(' ');
        if words.next() != Some(FORMAT) {
            return Err(unreadable(
                "it was made by another version of wreimage; compose it anew",
            ));
        }
        let words: Vec<&str> = words.collect();
        if words.len() != ranges.len() {
            return Err(unreadable("it has more or fewer components than it says"));
        }
        let (mut core, mut defaults, mut plugs) = (None, None, Vec::new());
        for (word, range) in words.into_iter().zip(ranges) {
            let part = |role| {
                bytes.get(range.clone()).map(|bytes| Part {
                    role,
                    bytes,
                    range: range.clone(),
                })
            };
            match word {
                "core" if core.is_none() => core = part(Role::Core),
                "defaults" if defaults.is_none() => defaults = part(Role::Defaults),
                "plug" => plugs.extend(part(Role::Plug)),
                _ => return Err(unreadable("it says what is no composition")),
            }
        }
        let core = core.ok_or_else(|| unreadable("it has no guest"))?;
        Ok(Some(Composition {
            core,
            defaults,
            plugs,
        }))
    }

    /// Whether these bytes are what the parts make: then the imports of each part have the names that they should have. Custom
    /// sections, which do nothing, may have been added.
    ///
    /// # Errors
    /// When they are not.
    pub fn verify(&self, bytes: &[u8]) -> Result<(), ComposeError> {
        let again = graph::encode(self, &[]).map_err(|_| ComposeError::Altered)?;
        match (code(&again), code(bytes)) {
            (Ok(again), Ok(code)) if again == code => Ok(()),
            _ => Err(ComposeError::Altered),
        }
    }

    /// SHA-256 of the guest as it was before anything was plugged in, in hexadecimal: what a site file names it by.
    ///
    /// # Errors
    /// When it cannot be composed.
    pub fn guest_digest(&self) -> Result<String, ComposeError> {
        if self.defaults.is_none() {
            return Ok(self.core.digest());
        }
        let before = Composition {
            core: self.core.clone(),
            defaults: self.defaults.clone(),
            plugs: Vec::new(),
        };
        Ok(hex::encode(Sha256::digest(graph::encode(&before, &[])?)))
    }

    /// All components.
    pub fn parts(&self) -> impl Iterator<Item = &Part<'a>> {
        std::iter::once(&self.core)
            .chain(&self.defaults)
            .chain(&self.plugs)
    }
}

/// What lies at the top of a component.
#[derive(Default)]
struct Top {
    /// Where the components in it lie.
    components: Vec<Range<usize>>,
    /// What the custom section says, if there is one.
    section: Option<Vec<u8>>,
}

/// The sections of a component, but for custom ones: kind and content.
fn code(bytes: &[u8]) -> Result<Vec<(u8, &[u8])>, wasmparser::BinaryReaderError> {
    let mut sections = Vec::new();
    let mut depth = 0_usize;
    for payload in Parser::new(0).parse_all(bytes) {
        let payload = payload?;
        if depth == 0
            && !matches!(payload, Payload::CustomSection(_))
            && let Some((kind, range)) = payload.as_section()
        {
            sections.push((kind, bytes.get(range).unwrap_or_default()));
        }
        depth = deeper(depth, &payload);
    }
    Ok(sections)
}

/// Whether a component says that it is one to plug in: it exports what every such component does.
pub fn is_plug(bytes: &[u8]) -> bool {
    let mut found = false;
    at_top(bytes, |payload| {
        if let Payload::ComponentExportSection(exports) = payload {
            let mut names = exports.clone().into_iter().flatten();
            found = found || names.any(|export| export.name.name == DESCRIBE);
        }
    });
    found
}

/// The names of what a component imports, as far as it can be read.
pub fn imports(bytes: &[u8]) -> Vec<String> {
    let mut names = Vec::new();
    at_top(bytes, |payload| {
        if let Payload::ComponentImportSection(imports) = payload {
            let all = imports.clone().into_iter().flatten();
            names.extend(all.map(|import| import.name.name.to_owned()));
        }
    });
    names
}

/// Shows what lies at the top of a component, until it cannot be read any further.
fn at_top<'a>(bytes: &'a [u8], mut see: impl FnMut(&Payload<'a>)) {
    let mut depth = 0_usize;
    for payload in Parser::new(0).parse_all(bytes) {
        let Ok(payload) = payload else {
            return;
        };
        if depth == 0 {
            see(&payload);
        }
        depth = deeper(depth, &payload);
    }
}

/// How deep in other components and modules the next payload lies.
fn deeper(depth: usize, payload: &Payload<'_>) -> usize {
    match payload {
        Payload::ComponentSection { .. } | Payload::ModuleSection { .. } => depth + 1,
        Payload::End(_) => depth.saturating_sub(1),
        _ => depth,
    }
}

fn top(bytes: &[u8]) -> Result<Top, wasmparser::BinaryReaderError> {
    let mut top = Top::default();
    let mut depth = 0_usize;
    for payload in Parser::new(0).parse_all(bytes) {
        let payload = payload?;
        match &payload {
            Payload::ComponentSection {
                unchecked_range, ..
            } if depth == 0 => top.components.push(unchecked_range.clone()),
            Payload::CustomSection(section) if depth == 0 && section.name() == SECTION => {
                top.section = Some(section.data().to_owned());
            }
            _ => {}
        }
        depth = deeper(depth, &payload);
    }
    Ok(top)
}

/// The custom section that says what the components of a composition are, in the order in which they lie there.
pub(crate) fn section(composed: &[u8], parts: &[&Part<'_>]) -> Result<String, ComposeError> {
    let lost = || ComposeError::Unreadable("a component got lost when it was composed".to_owned());
    let top = top(composed).map_err(|error| ComposeError::Unreadable(error.to_string()))?;
    let mut left: Vec<&Part<'_>> = parts.to_vec();
    let mut text = FORMAT.to_owned();
    for range in top.components {
        let bytes = composed.get(range).ok_or_else(lost)?;
        let at = left.iter().position(|part| part.bytes == bytes);
        text.push(' ');
        text.push_str(left.remove(at.ok_or_else(lost)?).role.word());
    }
    if left.is_empty() {
        Ok(text)
    } else {
        Err(lost())
    }
}
