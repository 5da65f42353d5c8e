// A follower on another node, and somebody who subscribed to the author, are told of a new post.

import { connect, input, next, ok, report } from "./hub.mjs";

const { nodes, ada, bob, postId } = input;

report(async () => {
  const follower = await connect(nodes[1], bob);
  const news = next(follower, "content:new");
  const seen = {
    bareString: await ok(follower, "content:subscribe", postId),
    object: await ok(follower, "content:subscribe", { contentId: postId }),
    unsubscribed: await ok(follower, "content:unsubscribe", postId),
    created: await publish(),
  };
  return { ...seen, news: await news };
});

async function publish() {
  const answer = await fetch(`${nodes[0]}/api/v1/posts`, {
    method: "POST",
    headers: { Authorization: `Bearer ${ada.token}`, "Content-Type": "application/json" },
    body: JSON.stringify({ title: "News", content: { blocks: [{ type: "paragraph", text: "😀" }] }, status: "PUBLISHED" }),
  });
  return { status: answer.status, ...(await answer.json()) };
}
