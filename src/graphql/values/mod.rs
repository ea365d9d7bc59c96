//! Values that every noun uses: typed ids as arguments, pages, and scalars.

mod ids;
pub(crate) mod page;
pub(crate) mod scalars;
