/** People who have said things to each other, for pages to be looked at: in several scripts and lengths. */
import { signUp } from "../harness/people.js";

/** @returns {Promise<{ ann: import("../harness/people.js").Person, group: string, layla: string }>} and two of Ann's rooms */
export async function makeWorld(server) {
  const people = {};
  const names = {
    ann: "Ann Archer", bob: "Bob Builder", cay: "Cay Ng", layla: "ليلى حداد", noam: "נועם לוי",
    dana: "Dana-with-a-very-long-name Featherstonehaugh-Cholmondeley",
  };
  for (const [username, name] of Object.entries(names)) people[username] = await signUp(server, username, name);
  const { ann, bob, cay, layla, noam, dana } = people;
  const say = async (room, ...lines) => {
    for (const [who, body] of lines) await who.post(room, body);
  };

  await say(await ann.open(dana), [dana, "A long preview that certainly does not fit into one line of the list of conversations, whatever the width"]);
  await say(await noam.open(ann), [noam, "שלום אן, מה שלומך היום?"]);
  const withLayla = await layla.open(ann);
  await say(
    withLayla,
    [layla, "مرحباً آن! كيف حالك؟"],
    [ann, "I am fine, thanks. And you?"],
    [layla, "بخير، شكراً. هل رأيت الصور من الرحلة إلى Barcelona؟"],
    [ann, "Not yet:\nsend them over\nwhen you can"],
    [layla, "<b>لا</b> <script>alert(1)</script>"],
  );
  const group = await ann.open(bob, cay, layla);
  await say(
    group,
    [bob, "Who brings the cake on Friday?"],
    [cay, "Not me, I brought the last one"],
    [cay, "Layla?"],
    [layla, "بكل سرور! سأحضر كعكة الشوكولاتة يوم الجمعة."],
    [ann, "Perfect. The recipe is at https://example.org/cakes?kind=chocolate&for=12, if anybody wants to help."],
  );
  const edited = await ann.post(group, "At three, in the kitchn");
  await ann.ask("mutation ($id: ID!) { editMessage(messageId: $id, body: \"At three, in the kitchen\") { message { id } } }", { id: edited.id });
  const { id, seq } = await bob.post(group, "oops");
  await bob.ask("mutation ($id: ID!) { deleteMessage(messageId: $id) { message { id } } }", { id });
  for (const reader of [bob, cay]) {
    await reader.ask("mutation ($room: ID!, $seq: Int!) { markRead(roomId: $room, seq: $seq) { room { id } } }", { room: group, seq });
  }
  await say(await ann.open(bob), [bob, "Lunch?"], [bob, "The usual place, at half past twelve."]);
  return { ann, group, layla: withLayla };
}
