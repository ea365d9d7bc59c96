//! Values that every noun uses: typed ids as arguments, pages, and scalars.

pub(crate) mod ids;
pub(crate) mod json;
pub(crate) mod page;
pub(crate) mod scalars;
