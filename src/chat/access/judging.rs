//! Who judges reports of whom.

use super::*;

fn standing(rank: Rank, kind: RoomKind, side: Side) -> Standing {
    let rules = Rules::new(kind, PostingPolicy::Everyone, 2);
    Standing { user: Some(UserId::generate()), rank, opened: true, side, rules, timed_out: false }
}

#[test]
fn reports_are_judged_by_those_who_have_more_say_than_whom_they_are_about() {
    let whom = |role| Action::JudgeReportOf(Whom { role, r#type: UserType::Consumer });
    for (about, key, owner, moderator, member) in [
        (RoomRole::Owner, true, false, false, false),
        (RoomRole::Moderator, true, true, false, false),
        (RoomRole::Member, true, true, true, false),
    ] {
        let may = |rank| standing(rank, RoomKind::Group, Side::None).may(whom(about)).is_ok();
        let seen = (may(Rank::Key), may(Rank::Owner), may(Rank::Moderator), may(Rank::Member));
        assert_eq!(seen, (key, owner, moderator, member), "{about:?}");
    }
    for (side, r#type, judged) in [
        (Side::Agent, UserType::Consumer, true),
        (Side::Agent, UserType::Support, false),
        (Side::Customer, UserType::Consumer, false),
        (Side::Customer, UserType::Support, false),
        (Side::None, UserType::Consumer, false),
    ] {
        let of = standing(Rank::Member, RoomKind::Direct, side);
        let action = Action::JudgeReportOf(Whom { role: RoomRole::Member, r#type });
        assert_eq!(of.may(action).is_ok(), judged, "{side:?} {type:?}");
    }
}

#[test]
fn whoever_may_delete_what_others_wrote_judges_reports_of_somebody() {
    for rank in [Rank::Member, Rank::Moderator, Rank::Owner, Rank::Key] {
        for (kind, side) in [
            (RoomKind::Group, Side::None),
            (RoomKind::Direct, Side::None),
            (RoomKind::Direct, Side::Customer),
            (RoomKind::Direct, Side::Agent),
        ] {
            // A key has no side, and deletes the messages of users for whom it acts.
            if rank == Rank::Key && kind == RoomKind::Direct {
                continue;
            }
            let of = standing(rank, kind, side);
            let judges = Whom::all().any(|whom| of.may(Action::JudgeReportOf(whom)).is_ok());
            assert_eq!(of.may(Permission::DeleteMessages.action()).is_ok(), judges, "{rank:?} {kind:?} {side:?}");
        }
    }
}
