//! What users do about others who bother them.

mod blocks;
mod reports;
mod words;
