//! The domains that are configured, and the colours of those that were given none.

use serde::Deserialize;

use super::{DomainClipboard, DomainName, InputTiming};
use crate::{
    colour::Colour,
    domain::DomainAddress,
    trust::{consent::Unasked, limits::LimitRules, policy::ProtocolRules},
};

/// One domain.
#[derive(Clone, Debug, PartialEq)]
pub struct DomainConfig {
    /// What it is called.
    pub name: DomainName,
    /// The colour of its frames.
    pub colour: Colour,
    /// Where it is reached.
    pub address: Option<DomainAddress>,
    /// Whether copies of its pages are shown, taken at each commit, so that what it writes after
    /// one is not seen before the next. Costs a copy of every frame.
    pub staged: bool,
    /// What its programs are offered, beside what is said for all domains or in its place.
    pub protocols: ProtocolRules,
    /// What its windows have without a person's consent.
    pub unasked: Unasked,
    /// How much it may have, beside what is said for all domains or in its place.
    pub limits: LimitRules,
    /// How exactly it is told when input happened.
    pub input_timing: InputTiming,
    /// Whether its popups may lie over frames of other domains.
    pub popups_over_frames: bool,
    /// Whether a person may copy out of it, and paste into it.
    pub clipboard: DomainClipboard,
}

impl DomainConfig {
    /// A domain of which no more is said.
    pub fn new(name: DomainName, colour: Colour, address: Option<DomainAddress>) -> DomainConfig {
        DomainConfig {
            name,
            colour,
            address,
            staged: false,
            protocols: ProtocolRules::default(),
            unasked: Unasked::default(),
            limits: LimitRules::default(),
            input_timing: InputTiming::default(),
            popups_over_frames: false,
            clipboard: DomainClipboard::default(),
        }
    }
}

/// Colours for domains that were given none, by their order: far apart in hue, calm, and dark
/// enough for white text.
const DOMAIN_COLOURS: [Colour; 6] = [
    Colour::new(0x2f, 0x6f, 0x9f),
    Colour::new(0xa8, 0x3f, 0x3a),
    Colour::new(0x3c, 0x78, 0x4a),
    Colour::new(0x79, 0x4f, 0x9c),
    Colour::new(0x9a, 0x60, 0x1e),
    Colour::new(0x1f, 0x78, 0x78),
];

/// The colour of the domain that is `index`th in order, when nothing else is said.
pub fn domain_colour(index: usize) -> Colour {
    DOMAIN_COLOURS[index % DOMAIN_COLOURS.len()]
}

/// A colour for one more domain: the first that none of `taken` is, if there is one.
pub fn free_colour(taken: &[Colour]) -> Colour {
    let free = DOMAIN_COLOURS.iter().find(|colour| !taken.contains(colour));
    free.copied().unwrap_or_else(|| domain_colour(taken.len()))
}

/// Read the domains, and give a free colour to each that has none of its own.
pub(super) fn read<'de, D: serde::Deserializer<'de>>(
    from: D,
) -> Result<Vec<DomainConfig>, D::Error> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Written {
        name: DomainName,
        colour: Option<Colour>,
        address: Option<DomainAddress>,
        #[serde(default)]
        staged: bool,
        #[serde(default)]
        protocols: ProtocolRules,
        #[serde(default)]
        unasked: Unasked,
        #[serde(default)]
        limits: LimitRules,
        #[serde(default)]
        input_timing: InputTiming,
        #[serde(default)]
        popups_over_frames: bool,
        #[serde(default)]
        clipboard: DomainClipboard,
    }
    let written = Vec::<Written>::deserialize(from)?;
    let mut taken: Vec<_> = written.iter().filter_map(|domain| domain.colour).collect();
    let read = |Written {
                    name,
                    colour,
                    address,
                    staged,
                    protocols,
                    unasked,
                    limits,
                    input_timing,
                    popups_over_frames,
                    clipboard,
                }: Written| {
        let colour = colour.unwrap_or_else(|| {
            let colour = free_colour(&taken);
            taken.push(colour);
            colour
        });
        DomainConfig {
            name,
            colour,
            address,
            staged,
            protocols,
            unasked,
            limits,
            input_timing,
            popups_over_frames,
            clipboard,
        }
    };
    Ok(written.into_iter().map(read).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn domains_without_a_colour_get_free_ones() {
        let text = "[[domain]]\nname = \"a\"\n[[domain]]\nname = \"b\"\ncolour = \"#2f6f9f\"\n[[domain]]\nname = \"c\"\n";
        let domains = Config::from_toml(text).unwrap().domains;
        let colours = domains.iter().map(|domain| domain.colour).collect::<Vec<_>>();
        assert_eq!(colours, [DOMAIN_COLOURS[1], DOMAIN_COLOURS[0], DOMAIN_COLOURS[2]]);
    }
}
