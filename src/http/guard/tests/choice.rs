//! Which operation of a document is meant.

use async_graphql::parser::types::OperationType;

use super::admit;
use crate::http::guard::Choice;

#[test]
fn the_operation_is_the_named_one_or_the_only_one() {
    let kind_in = |text: &str, name| {
        let document = admit(text).expect("a document");
        document.choose(name).map(|operation| operation.expect("within the limits").kind())
    };
    let two = "query A{a} subscription B{b}";
    assert_eq!(kind_in("{a}", None), Ok(OperationType::Query));
    assert_eq!(kind_in("mutation M{a}", None), Ok(OperationType::Mutation));
    assert_eq!(kind_in("mutation M{a}", Some("M")), Ok(OperationType::Mutation));
    assert_eq!(kind_in(two, Some("B")), Ok(OperationType::Subscription));
    assert_eq!(kind_in(two, None), Err(Choice::Unnamed));
    assert_eq!(kind_in(two, Some("C")), Err(Choice::UnknownName));
    assert_eq!(kind_in("{a}", Some("A")), Err(Choice::UnknownName));
}
