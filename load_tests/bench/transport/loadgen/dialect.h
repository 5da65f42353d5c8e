/* What is said to a server, and how its answers look: the application on top of Socket.IO (protocol revision 5).
 *
 *            plain (the peers, our bare transport)   hub
 * CONNECT    40                                      40{"token": …}, then the event session:ready
 * join       join <room>, acknowledged               room:join {roomId}, acknowledged with {"ok": true, …}
 * broadcast  bc <room> <body>                        room:send {roomId, clientId, body, volatile}; hub-kept: not volatile
 * delivery   m <body>, to the sender as well         room:message {…, body}, to all but the sender
 * echo       echo <body>, acknowledged with it       presence:get {"userIds": []}, acknowledged
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum dialect { PLAIN, HUB, HUB_KEPT };

#define MAX_MESSAGE 8192

/* Each writes a packet to `out`, which holds MAX_MESSAGE bytes, and returns its length; 0 if it does not fit. */
size_t say_connect(char *out, enum dialect dialect, const char *auth);
size_t say_join(char *out, enum dialect dialect, const char *room);
size_t say_broadcast(char *out, enum dialect dialect, const char *room, int sender, unsigned number, uint64_t sent_ns);
size_t say_echo(char *out, enum dialect dialect, unsigned ack_id);

/* Each looks at a whole Socket.IO packet, from its type on (`2["m",…]`). */
bool is_delivery(enum dialect dialect, const char *packet, size_t length);
bool is_ready(const char *packet, size_t length);
bool is_failure(const char *packet, size_t length);

/* When the broadcast that brought this delivery was meant to be sent; 0 if it does not say. */
uint64_t sent_at_ns(const char *packet, size_t length);
