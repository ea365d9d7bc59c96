//! Text as people write it: the one form in which names are compared, and what of a text can be seen.
//!
//! Both follow Unicode's properties, which `icu_normalizer` and `icu_properties` have; `idna` brings them in any case.

pub mod fold;
pub mod search;
pub mod visible;
