mod choice;
mod hostile;
mod introspection;
mod limits;
mod properties;
mod text;

use std::sync::Arc;

use super::{Document, Guard, Limits, Refusal};

fn admit(text: &str) -> Result<Arc<Document>, Refusal> {
    Guard::new(Limits::default()).admit(text)
}

fn reason(text: &str) -> &'static str {
    match admit(text) {
        Ok(_) => "admitted",
        Err(refusal) => refusal.reason(),
    }
}
