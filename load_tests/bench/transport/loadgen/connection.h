/* One client: TCP, the WebSocket upgrade, Engine.IO 4 and Socket.IO 5, over epoll. */
#pragma once
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "dialect.h"

enum state {
    UNUSED,
    CONNECTING, /* TCP */
    UPGRADING,  /* the HTTP request is on its way */
    OPENING,    /* waits for Engine.IO's open packet, then for the answer to CONNECT, then perhaps for session:ready */
    READY,
    JOINING,
    JOINED,
    CLOSED, /* by us, or because something went wrong: then it counts as lost */
};

struct connection {
    int fd;
    enum state state;
    int number;
    in_port_t port;
    const char *auth; /* of CONNECT, JSON; "" without */
    const char *room;
    unsigned said;      /* broadcasts and echoes so far */
    uint64_t asked_ns;  /* when it began to connect, or sent its last echo */
    char *rest;         /* of what has been received, the frame that is not whole yet */
    size_t rest_length, rest_room;
};

/* Where and how all connections of this process connect. */
struct target {
    int epoll;
    enum dialect dialect;
    uint32_t first_source; /* address that connections come from, host byte order */
    int per_source;        /* connections before the next address: a hub limits how many one address may make */
};

/* What becomes of them, for main.c and load.c. */
struct counters {
    int ready;   /* have ever been READY */
    int joined;  /* have ever been JOINED */
    int waiting; /* between the start of connecting or joining and its end */
    int lost;
};

extern struct target target;
extern struct counters counters;

void connection_open(struct connection *connection);
void connection_join(struct connection *connection);
void connection_close(struct connection *connection);

/* Handle what epoll says of it. */
void connection_event(struct connection *connection, uint32_t events);

/* Send a Socket.IO packet of at most MAX_MESSAGE bytes. */
void connection_send(struct connection *connection, const char *packet, size_t length);
