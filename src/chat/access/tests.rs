//! Who may do what.

use super::*;

const EVERYONE: PostingPolicy = PostingPolicy::Everyone;
const MODERATORS: PostingPolicy = PostingPolicy::Moderators;

fn standing(user: UserId, rank: Rank, kind: RoomKind, posting_policy: PostingPolicy) -> Standing {
    let rules = Rules::new(kind, posting_policy, SMALL + 1);
    Standing { user: Some(user), rank, opened: false, side: Side::None, timed_out: false, rules }
}

#[test]
fn what_may_be_done_in_a_direct_room() {
    let (user, other) = (UserId::generate(), UserId::generate());
    for (action, initiator, member) in [
        (Action::Post, true, true),
        (Action::MarkRead, true, true),
        (Action::Mute, true, true),
        (Action::Leave, true, true),
        (Action::EditMessageOf(user), true, true),
        (Action::EditMessageOf(other), false, false),
        (Action::DeleteMessageOf(user), true, true),
        (Action::DeleteMessageOf(other), false, false),
        (Action::Pin, true, true),
        (Action::UpdateRoom, false, false),
        (Action::AddMembers, false, false),
        (Action::Moderate(RoomRole::Member), false, false),
        (Action::SetRoles, false, false),
        (Action::Invite, false, false),
        (Action::DeleteRoom, true, false),
    ] {
        let of = standing(user, Rank::Member, RoomKind::Direct, EVERYONE);
        let may = |opened| Standing { opened, ..of }.may(action).is_ok();
        assert_eq!((may(true), may(false)), (initiator, member), "{action:?}");
    }
}

#[test]
fn the_support_side_has_the_say_in_its_rooms_and_who_asks_there_has_not() {
    let (user, other) = (UserId::generate(), UserId::generate());
    for (action, customer, agent) in [
        (Action::Post, true, true),
        (Action::EditMessageOf(user), true, true),
        (Action::EditMessageOf(other), false, false),
        (Action::DeleteMessageOf(user), true, true),
        (Action::DeleteMessageOf(other), false, true),
        (Action::DeleteRoom, false, true),
    ] {
        let of = Standing { opened: true, ..standing(user, Rank::Member, RoomKind::Direct, EVERYONE) };
        let may = |side| Standing { side, ..of }.may(action).is_ok();
        assert_eq!((may(Side::Customer), may(Side::Agent)), (customer, agent), "{action:?}");
    }
}

#[test]
fn what_each_role_may_do_in_a_group() {
    let (user, other) = (UserId::generate(), UserId::generate());
    for (action, policy, owner, moderator, member) in [
        (Action::Post, EVERYONE, true, true, true),
        (Action::Post, MODERATORS, true, true, false),
        (Action::Pin, EVERYONE, true, true, false),
        (Action::MentionRoom, EVERYONE, true, true, false),
        (Action::MentionRoom, MODERATORS, true, true, false),
        (Action::MarkRead, MODERATORS, true, true, true),
        (Action::Mute, MODERATORS, true, true, true),
        (Action::Leave, MODERATORS, true, true, true),
        (Action::EditMessageOf(user), MODERATORS, true, true, true),
        (Action::EditMessageOf(other), EVERYONE, false, false, false),
        (Action::DeleteMessageOf(user), MODERATORS, true, true, true),
        (Action::DeleteMessageOf(other), EVERYONE, true, true, false),
        (Action::UpdateRoom, EVERYONE, true, true, false),
        (Action::AddMembers, EVERYONE, true, true, false),
        (Action::Moderate(RoomRole::Member), EVERYONE, true, true, false),
        (Action::Moderate(RoomRole::Moderator), EVERYONE, true, false, false),
        (Action::Moderate(RoomRole::Owner), EVERYONE, false, false, false),
        (Action::SetRoles, EVERYONE, true, false, false),
        (Action::Invite, EVERYONE, true, true, false),
        (Action::DeleteRoom, EVERYONE, true, false, false),
    ] {
        let may = |rank| standing(user, rank, RoomKind::Group, policy).may(action).is_ok();
        let seen = (may(Rank::Owner), may(Rank::Moderator), may(Rank::Member));
        assert_eq!(seen, (owner, moderator, member), "{action:?} {policy:?}");
        assert!(may(Rank::Key) || action == Action::EditMessageOf(other), "a key is owner enough: {action:?}");
    }
}

#[test]
fn everybody_mentions_a_small_room_in_which_they_may_post() {
    for (members, policy, may) in [(20, EVERYONE, true), (21, EVERYONE, false), (2, MODERATORS, false)] {
        let rules = Rules::new(RoomKind::Group, policy, members);
        let of = Standing { rules, ..standing(UserId::generate(), Rank::Member, RoomKind::Group, policy) };
        assert_eq!(of.may(Action::MentionRoom).is_ok(), may, "{members} {policy:?}");
        assert!(Standing { timed_out: true, ..of }.may(Action::MentionRoom).is_err());
    }
}

#[test]
fn what_a_higher_rank_may_do_holds_at_least_what_a_lower_one_may() {
    let ranks = [Rank::Member, Rank::Moderator, Rank::Owner, Rank::Key];
    for (kind, policy) in [(RoomKind::Direct, EVERYONE), (RoomKind::Group, EVERYONE), (RoomKind::Group, MODERATORS)] {
        for pair in ranks.windows(2) {
            let of = |rank| standing(UserId::generate(), rank, kind, policy).permissions();
            let higher = of(pair[1]);
            assert!(of(pair[0]).iter().all(|permission| higher.contains(permission)), "{kind:?} {pair:?}");
        }
    }
}
