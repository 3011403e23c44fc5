//! Who may have items: the visitor, who has some, and the other members.

use super::answers::Review;
use crate::answers::Items;
use crate::ask::Refusal;
use crate::shell::{Shell, Visit};
use serde::Deserialize;

/// Somebody who may have items.
pub(crate) struct Owner {
    pub id: String,
    pub name: String,
}

#[derive(Deserialize)]
struct Member {
    user_id: String,
    name: String,
}

/// Only where they are asked for: lists of people are counted strictly.
pub(super) async fn members(visit: &Visit, are_asked_for: bool) -> Result<Vec<Owner>, Refusal> {
    if !are_asked_for {
        return Ok(vec![]);
    }
    let path = format!("/api/projects/{}/members?limit=500", visit.project_id().unwrap_or_default());
    let page: Items<Member> = visit.ask.get(&path).await?;
    Ok(page.items.into_iter().map(|member| Owner { id: member.user_id, name: member.name }).collect())
}

/// The visitor first, then who has something already, then the others.
pub(super) fn owners(shell: &Shell, review: &Review, members: Vec<Owner>) -> Vec<Owner> {
    let mut people: Vec<Owner> = vec![];
    let me = shell.user.iter().map(|user| Owner { id: user.id.clone(), name: format!("{} (me)", user.name) });
    let having = review.by_assignee.iter().filter_map(|count| {
        Some(Owner { id: count.user_id.clone()?, name: count.name.clone().unwrap_or_default() })
    });
    for person in me.chain(having).chain(members) {
        if people.iter().all(|known| known.id != person.id) {
            people.push(person);
        }
    }
    people
}

pub(super) fn name_of(people: &[Owner], id: Option<&str>) -> String {
    let Some(id) = id else { return String::new() };
    let known = people.iter().find(|person| person.id == id);
    known.map_or_else(|| "somebody".into(), |person| person.name.clone())
}
