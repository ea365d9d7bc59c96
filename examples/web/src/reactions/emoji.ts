/** An emoji and the words by which it is found, of which the first ones are its name. */
export interface Emoji {
  text: string;
  name: string;
}

export interface EmojiGroup {
  name: string;
  emoji: readonly Emoji[];
}

/** What most people want most of the time, and what else there is: `emoji name, emoji name`. */
const GROUPS: readonly [name: string, emoji: string][] = [
  [
    "Often used",
    "👍 thumbs up yes, ❤️ red heart love, 😂 tears of joy laugh, 🎉 party popper hooray, 😮 open mouth wow surprised, 😢 crying sad, 🙏 folded hands thanks please, 🔥 fire hot",
  ],
  [
    "Faces",
    "😀 grinning, 😃 big eyes happy, 😄 smiling eyes happy, 😁 beaming, 😆 squinting laugh, 😅 sweat relief, 🤣 rolling on the floor laugh, 🙂 slight smile, 🙃 upside down, 😉 wink, 😊 blushing, 😇 halo angel, 🥰 hearts in love, 😍 heart eyes, 🤩 star struck, 😘 kiss, 😋 yum tasty, 😜 winking tongue, 🤪 zany, 🤑 money mouth, 🤗 hug, 🤭 hand over mouth giggle, 🤫 shush quiet, 🤔 thinking, 🤐 zipper mouth, 🤨 raised eyebrow doubt, 😐 neutral, 😑 expressionless, 😏 smirk, 😒 unamused, 🙄 rolling eyes, 😬 grimace, 😌 relieved, 😔 pensive, 😴 sleeping, 🤒 thermometer ill, 🤢 nauseated, 🤯 exploding head, 🥳 party face, 😎 sunglasses cool, 🤓 nerd, 😕 confused, 😟 worried, 🙁 frown, 😳 flushed, 🥺 pleading, 😨 fearful, 😱 scream, 😭 loud crying, 😤 triumph, 😡 angry, 🤬 cursing, 💀 skull, 💩 poo, 🤡 clown, 👻 ghost, 👽 alien, 🤖 robot",
  ],
  [
    "Hands and people",
    "👎 thumbs down no, 👌 ok, ✌️ victory peace, 🤞 crossed fingers luck, 🤘 horns rock, 👈 pointing left, 👉 pointing right, 👆 pointing up, 👇 pointing down, ☝️ index up, ✋ raised hand stop, 👋 wave hello, 🤙 call me, 💪 muscle strong, ✊ fist, 👊 punch, 👏 clap applause, 🙌 raised hands, 👐 open hands, 🤝 handshake deal, ✍️ writing, 👀 eyes look, 🧠 brain, 🙋 raising hand, 🙅 no gesture, 🙆 ok gesture, 🤷 shrug, 🤦 facepalm, 💃 dancing, 🏃 running, 🧘 meditation",
  ],
  [
    "Hearts and signs",
    "💛 yellow heart, 💚 green heart, 💙 blue heart, 💜 purple heart, 🖤 black heart, 🤍 white heart, 💔 broken heart, 💕 two hearts, 💯 hundred points, ✅ check done, ✔️ check mark, ❌ cross no, ❓ question, ❗ exclamation, ⚠️ warning, ⛔ no entry, ➕ plus, ➖ minus, 💡 light bulb idea, 💬 speech, 💤 zzz, ⭐ star, 🌟 glowing star, ✨ sparkles, ⚡ lightning, 💥 boom, 🎯 target, 🏆 trophy, 🥇 gold medal, 🚀 rocket, ⏰ alarm clock, ⏳ hourglass, 📌 pin, 📎 paper clip, 📷 camera, 🔒 lock, 🔑 key, 🔔 bell, 📅 calendar, 📈 chart up, 📉 chart down, ✏️ pencil, 🗑️ bin, 💰 money bag, 🎁 gift, 🎈 balloon, 🎵 music",
  ],
  [
    "Animals and nature",
    "🐶 dog, 🐱 cat, 🐭 mouse, 🐰 rabbit, 🦊 fox, 🐻 bear, 🐼 panda, 🐨 koala, 🦁 lion, 🐷 pig, 🐸 frog, 🐵 monkey, 🙈 see no evil monkey, 🐔 chicken, 🐧 penguin, 🐦 bird, 🦄 unicorn, 🐝 bee, 🦋 butterfly, 🐢 turtle, 🐙 octopus, 🐬 dolphin, 🐳 whale, 🌳 tree, 🌵 cactus, 🍀 clover luck, 🌹 rose, 🌻 sunflower, 🌸 blossom, 🌈 rainbow, ☀️ sun, 🌙 moon, ☁️ cloud, ☔ rain umbrella, ❄️ snow, ⛄ snowman, 🌊 wave sea",
  ],
  [
    "Food and places",
    "🍎 apple, 🍌 banana, 🍓 strawberry, 🍉 watermelon, 🥑 avocado, 🍞 bread, 🧀 cheese, 🍔 burger, 🍟 fries, 🍕 pizza, 🌮 taco, 🍣 sushi, 🍝 spaghetti, 🍜 noodles, 🥗 salad, 🍿 popcorn, 🍰 cake, 🎂 birthday cake, 🍫 chocolate, 🍪 cookie, 🍩 doughnut, 🍦 ice cream, ☕ coffee, 🍵 tea, 🍺 beer, 🍻 cheers, 🍷 wine, 🥂 champagne, ⚽ football, 🏀 basketball, 🎾 tennis, 🎮 game, 🎲 dice, 🎸 guitar, 🎨 art, 🎬 film, 🚗 car, 🚲 bicycle, 🚆 train, ✈️ plane, ⛵ sailing, 🏠 house, 🏢 office, 🏖️ beach, ⛰️ mountain, 🗺️ map, 🌍 earth",
  ],
];

export const GROUPED: readonly EmojiGroup[] = GROUPS.map(([name, emoji]) => ({
  name,
  emoji: emoji.split(", ").map((entry) => {
    const [text = "", ...words] = entry.split(" ");
    return { text, name: words.join(" ") };
  }),
}));

/** Emoji of whose words one begins with each word of the text. */
export function findEmoji(text: string): Emoji[] {
  const wanted = text.toLowerCase().split(/\s+/).filter(Boolean);
  const all = GROUPED.flatMap(({ emoji }) => emoji);
  return all.filter(({ name, text: own }) => {
    const words = name.split(" ");
    return wanted.every((word) => own === word || words.some((one) => one.startsWith(word)));
  });
}

const VARIATION = "\uFE0F";

/** As the server keeps a reaction: without the sign that asks for colours. */
export function normal(emoji: string): string {
  return emoji.replaceAll(VARIATION, "");
}

/** In colours, also where the sign that asks for them was left out. */
export function inColours(emoji: string): string {
  return /^\p{Emoji}$/u.test(emoji) && !/^[\p{Emoji_Presentation}\d#*]$/u.test(emoji)
    ? emoji + VARIATION
    : emoji;
}
