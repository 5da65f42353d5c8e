/* What is sent once all are there: broadcasts or echoes, in a closed or an open loop. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "connection.h"

struct load_counts {
    uint64_t sent;       /* broadcasts, or echoes */
    uint64_t deliveries; /* of broadcasts to members */
    uint64_t echoes;     /* that came back */
    uint64_t missing;    /* deliveries and echoes that were given up */
};

extern struct load_counts load_counts;

/* Rooms are `room_size` connections in a row; `connections` is a multiple of it. */
void load_init(struct connection *first, int connections, int room_size);

/* Closed loop: `outstanding` broadcasts are on their way at any time. Rooms, and in them senders, take turns. */
void load_window(unsigned outstanding);
/* Open loop: `per_second` broadcasts, each with the time at which it was due, however late it is sent. */
void load_rate(double per_second);
/* Closed loop: every connection sends an echo as soon as it has the last one back. */
void load_echo(void);
/* Send nothing, and look at what others send: each event says when it was due, as those of `load_rate` do. */
void load_listen(void);
/* Send nothing more. */
void load_stop(void);

/* Whether everything that was sent has come back, or has been given up. */
bool load_drained(void);

/* Send what is due now. Returns when to be called again at the latest, 0 for whenever something comes in. */
uint64_t load_send_due(void);

void load_delivery(const char *packet, size_t length);
void load_acknowledged(struct connection *connection);
