//! What clients and their code generators ask of the schema.

use super::reason;

/// `getIntrospectionQuery()` of graphql-js 16 with every option on.
pub(super) const STANDARD: &str = "
query IntrospectionQuery {
  __schema {
    description
    queryType { name kind }
    mutationType { name kind }
    subscriptionType { name kind }
    types { ...FullType }
    directives {
      name
      description
      isRepeatable
      locations
      args(includeDeprecated: true) { ...InputValue }
    }
  }
}
fragment FullType on __Type {
  kind
  name
  description
  specifiedByURL
  isOneOf
  fields(includeDeprecated: true) {
    name
    description
    args(includeDeprecated: true) { ...InputValue }
    type { ...TypeRef }
    isDeprecated
    deprecationReason
  }
  inputFields(includeDeprecated: true) { ...InputValue }
  interfaces { ...TypeRef }
  enumValues(includeDeprecated: true) { name description isDeprecated deprecationReason }
  possibleTypes { ...TypeRef }
}
fragment InputValue on __InputValue {
  name
  description
  type { ...TypeRef }
  defaultValue
  isDeprecated
  deprecationReason
}
fragment TypeRef on __Type {
  kind
  name
  ofType { kind name ofType { kind name ofType { kind name ofType { kind name ofType {
    kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name } } } }
  } } } } }
}";

#[test]
fn the_standard_query_is_admitted() {
    assert_eq!(reason(STANDARD), "admitted");
}

#[test]
fn the_standard_query_is_admitted_once_but_not_three_times() {
    let twice = STANDARD.replacen("__schema {", "again: __schema { types { ...FullType } } __schema {", 1);
    assert_eq!(reason(&twice), "admitted");
    let thrice = twice.replacen("again:", "more: __schema { types { ...FullType } } again:", 1);
    assert_eq!(reason(&thrice), "introspection_too_costly");
}

#[test]
fn usual_questions_about_one_type_are_admitted() {
    for text in [
        "{__typename}",
        "{__type(name:\"Room\"){name fields{name type{name kind ofType{name kind}}}}}",
        "{__schema{types{name fields{name type{name possibleTypes{name}}}}}}",
    ] {
        assert_eq!(reason(text), "admitted", "{text}");
    }
}

#[test]
fn lists_in_lists_are_refused() {
    let text = "{__schema{types{fields{type{fields{type{fields{type{fields{name}}}}}}}}}}";
    assert_eq!(reason(text), "introspection_too_costly");
    let text = "{__type(name:\"User\"){...A}}
        fragment A on __Type{fields{type{...B}}}fragment B on __Type{fields{type{...C}}}
        fragment C on __Type{fields{type{...D}}}fragment D on __Type{possibleTypes{fields{args{type{fields{name}}}}}}";
    assert_eq!(reason(text), "introspection_too_costly");
}

#[test]
fn aliases_do_not_multiply_the_answer() {
    let names = "a:name ".repeat(600);
    assert_eq!(reason(&format!("{{__schema{{types{{fields{{{names}}}}}}}}}")), "introspection_too_costly");
}

#[test]
fn introspection_is_not_endlessly_deep() {
    let of_types = |depth: usize| {
        format!("{{__type(name:\"A\"){{{}name{}}}}}", "ofType{".repeat(depth - 2), "}".repeat(depth - 2))
    };
    assert_eq!(reason(&of_types(20)), "admitted");
    assert_eq!(reason(&of_types(21)), "introspection_too_deep");
}

#[test]
fn other_fields_gain_no_depth_from_introspection_beside_them() {
    let deep = format!("{}a{}", "a{".repeat(12), "}".repeat(12));
    assert_eq!(reason(&format!("{{__schema{{description}} {deep}}}")), "too_deep");
}
