//! Values that every noun uses: typed ids as arguments, pages, and scalars.

mod ids;
pub mod page;
pub mod scalars;
