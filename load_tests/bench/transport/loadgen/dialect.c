#define _GNU_SOURCE /* memmem */
#include "dialect.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Makes a delivery of the plain dialect about 110 bytes: a short chat message with what belongs to it. */
#define PADDING "pppppppppppppppppppppppppppppppppppppppppppppppppppppppppppp"

/* As text, so that it comes back as it is: JavaScript has no integers of 64 bits. */
#define TIME_KEY "\"ts\":\""

static size_t fits(int written) { return written > 0 && written < MAX_MESSAGE ? (size_t)written : 0; }

static bool begins(const char *packet, size_t length, const char *with) {
    size_t wanted = strlen(with);
    return length >= wanted && memcmp(packet, with, wanted) == 0;
}

size_t say_connect(char *out, enum dialect dialect, const char *auth) {
    return fits(snprintf(out, MAX_MESSAGE, "40%s", dialect != PLAIN ? auth : ""));
}

size_t say_join(char *out, enum dialect dialect, const char *room) {
    if (dialect != PLAIN)
        return fits(snprintf(out, MAX_MESSAGE, "420[\"room:join\",{\"roomId\":\"%s\"}]", room));
    return fits(snprintf(out, MAX_MESSAGE, "420[\"join\",\"%s\"]", room));
}

size_t say_broadcast(char *out, enum dialect dialect, const char *room, int sender, unsigned number, uint64_t sent_ns) {
    char body[256];
    snprintf(body, sizeof body, "{" TIME_KEY "%019llu\",\"seq\":%u,\"x\":\"" PADDING "\"}", (unsigned long long)sent_ns,
             number);
    if (dialect == HUB_KEPT) /* an id that was there before is a repeat: this one is of this program's run */
        return fits(snprintf(out, MAX_MESSAGE,
                             "42[\"room:send\",{\"roomId\":\"%s\",\"clientId\":\"%d-%u-%llu\",\"body\":%s}]", room,
                             sender, number, (unsigned long long)sent_ns, body));
    if (dialect == HUB)
        return fits(snprintf(out, MAX_MESSAGE,
                             "42[\"room:send\",{\"roomId\":\"%s\",\"clientId\":\"%d-%u\",\"body\":%s,\"volatile\":true}]",
                             room, sender, number, body));
    return fits(snprintf(out, MAX_MESSAGE, "42[\"bc\",\"%s\",%s]", room, body));
}

size_t say_echo(char *out, enum dialect dialect, unsigned ack_id) {
    if (dialect != PLAIN)
        return fits(snprintf(out, MAX_MESSAGE, "42%u[\"presence:get\",{\"userIds\":[]}]", ack_id));
    return fits(snprintf(out, MAX_MESSAGE, "42%u[\"echo\",{\"seq\":%u,\"x\":\"" PADDING "\"}]", ack_id, ack_id));
}

bool is_delivery(enum dialect dialect, const char *packet, size_t length) {
    return begins(packet, length, dialect != PLAIN ? "2[\"room:message\"," : "2[\"m\",");
}

bool is_ready(const char *packet, size_t length) { return begins(packet, length, "2[\"session:ready\","); }

bool is_failure(const char *packet, size_t length) {
    if (begins(packet, length, "4") || begins(packet, length, "2[\"hub:error\""))
        return true; /* CONNECT refused; an event without acknowledgement failed */
    return begins(packet, length, "3") && memmem(packet, length, "[{\"ok\":false", 12) != NULL;
}

uint64_t sent_at_ns(const char *packet, size_t length) {
    const char *key = memmem(packet, length, TIME_KEY, sizeof TIME_KEY - 1);
    return key ? strtoull(key + sizeof TIME_KEY - 1, NULL, 10) : 0;
}
