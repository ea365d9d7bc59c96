//! What one client can make the server do, and where that ends.

mod answers;
mod connections;
