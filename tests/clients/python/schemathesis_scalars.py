"""Values of Parlor's scalars, of which the contract doesn't say what they look like."""

import graphql
import schemathesis
from hypothesis import strategies
from schemathesis.graphql import nodes


def member(name, value):
    return graphql.ObjectFieldNode(name=graphql.NameNode(value=name), value=value)


texts = strategies.text(max_size=8).map(nodes.String)
numbers = strategies.integers(min_value=0, max_value=9).map(nodes.Int)
members = strategies.builds(member, strategies.sampled_from(["a", "b"]), texts | numbers)
schemathesis.graphql.scalar("JSON", strategies.lists(members, max_size=2).map(nodes.Object))
