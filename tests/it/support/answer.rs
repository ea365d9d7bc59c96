//! What the server answers to one GraphQL request.

use std::ops::Index;

use serde_json::Value;

/// An answer: HTTP status and GraphQL body.
///
/// `answer["/rooms/nodes/0/id"]` looks into the data by JSON pointer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// The whole body.
    pub body: Value,
}

impl Answer {
    /// The data of an answer without errors.
    #[track_caller]
    pub fn data(&self) -> &Value {
        assert!(self.body.get("errors").is_none(), "expected data only, got {:#}", self.body);
        &self.body["data"]
    }

    /// The only error.
    #[track_caller]
    pub fn error(&self) -> &Value {
        match self.body["errors"].as_array().map(Vec::as_slice) {
            Some([error]) => error,
            _ => panic!("expected one error, got {:#}", self.body),
        }
    }

    /// `extensions.code` of the only error.
    #[track_caller]
    pub fn error_code(&self) -> &str {
        let code = self.error()["extensions"]["code"].as_str();
        code.unwrap_or_else(|| panic!("expected an error with a code, got {:#}", self.body))
    }

    /// `extensions.field` of the only error: the argument or input field at fault.
    #[track_caller]
    pub fn error_field(&self) -> &str {
        let field = self.error()["extensions"]["field"].as_str();
        field.unwrap_or_else(|| panic!("expected an error that names a field, got {:#}", self.body))
    }

    /// Text of the only error.
    #[track_caller]
    pub fn error_message(&self) -> &str {
        self.error()["message"].as_str().expect("an error has a message")
    }

    /// Text at this pointer.
    #[track_caller]
    pub fn text(&self, pointer: &str) -> &str {
        self[pointer].as_str().unwrap_or_else(|| panic!("expected text at {pointer}, got {:#}", self.body))
    }

    /// Whole number at this pointer.
    #[track_caller]
    pub fn number(&self, pointer: &str) -> i64 {
        self[pointer].as_i64().unwrap_or_else(|| panic!("expected a number at {pointer}, got {:#}", self.body))
    }

    /// List at this pointer.
    #[track_caller]
    pub fn list(&self, pointer: &str) -> &[Value] {
        self[pointer].as_array().unwrap_or_else(|| panic!("expected a list at {pointer}, got {:#}", self.body))
    }
}

impl Index<&str> for Answer {
    type Output = Value;

    #[track_caller]
    fn index(&self, pointer: &str) -> &Value {
        let found = self.data().pointer(pointer);
        found.unwrap_or_else(|| panic!("expected something at {pointer}, got {:#}", self.body))
    }
}
