#include "load.h"

#include "clock.h"
#include "dialect.h"
#include "histogram.h"

/* Volatile events may be dropped by a server under pressure. A window that nothing comes back to for so long is opened
 * anew, and what was on its way counts as missing. */
#define GIVEN_UP_NS (2 * NS_PER_S)

struct load_counts load_counts;

static enum { NOTHING, WINDOW, RATE, ECHO, LISTEN } kind;
static struct connection *connections;
static int connection_count, room_size;
static uint64_t fan_out; /* deliveries of one broadcast */

static uint64_t turn; /* broadcasts since the start: whose turn it is */
static uint64_t window; /* broadcasts that are to be on their way */
static uint64_t open_deliveries, open_echoes; /* that are still to come */
static uint64_t last_progress_ns;
static uint64_t rate_start_ns, rate_sent;
static double rate_interval_ns;

void load_init(struct connection *first, int count, int size) {
    connections = first;
    connection_count = count;
    room_size = size;
    fan_out = (uint64_t)(target.dialect != PLAIN ? size - 1 : size); /* a hub does not send back to the sender */
}

static struct connection *next_sender(void) {
    uint64_t rooms = (uint64_t)(connection_count / room_size);
    uint64_t room = turn % rooms, member = turn / rooms % (uint64_t)room_size;
    turn++;
    return &connections[room * (uint64_t)room_size + member];
}

static void broadcast(uint64_t due_ns) {
    char packet[MAX_MESSAGE];
    struct connection *sender = next_sender();
    if (sender->state != JOINED)
        return;
    connection_send(sender, packet,
                    say_broadcast(packet, target.dialect, sender->room, sender->number, sender->said++, due_ns));
    if (open_deliveries == 0)
        last_progress_ns = now_ns();
    open_deliveries += fan_out;
    load_counts.sent++;
}

static void echo(struct connection *connection) {
    char packet[MAX_MESSAGE];
    connection->asked_ns = last_progress_ns = now_ns();
    connection_send(connection, packet, say_echo(packet, target.dialect, ++connection->said));
    open_echoes++;
    load_counts.sent++;
}

void load_window(unsigned outstanding) {
    kind = WINDOW;
    window = outstanding;
}

void load_rate(double per_second) {
    kind = RATE;
    rate_interval_ns = (double)NS_PER_S / per_second;
    rate_start_ns = now_ns();
    rate_sent = 0;
}

void load_echo(void) {
    kind = ECHO;
    for (int i = 0; i < connection_count; i++)
        if (connections[i].state == READY || connections[i].state == JOINED)
            echo(&connections[i]);
}

void load_listen(void) { kind = LISTEN; }

void load_stop(void) { kind = NOTHING; }

static void give_up_what_is_late(void) {
    if (open_deliveries + open_echoes > 0 && now_ns() - last_progress_ns > GIVEN_UP_NS) {
        load_counts.missing += open_deliveries + open_echoes;
        open_deliveries = open_echoes = 0;
    }
}

bool load_drained(void) {
    give_up_what_is_late();
    return open_deliveries == 0 && open_echoes == 0;
}

uint64_t load_send_due(void) {
    if (kind == WINDOW) {
        give_up_what_is_late();
        /* Bounded, because a sender that was lost sends nothing. */
        for (uint64_t i = 0; i < window && open_deliveries + fan_out <= window * fan_out; i++)
            broadcast(now_ns());
        return 0;
    }
    if (kind != RATE)
        return 0;
    for (;;) {
        uint64_t due_ns = rate_start_ns + (uint64_t)((double)rate_sent * rate_interval_ns);
        if (due_ns > now_ns())
            return due_ns;
        broadcast(due_ns);
        rate_sent++;
    }
}

void load_delivery(const char *packet, size_t length) {
    load_counts.deliveries++;
    if (open_deliveries > 0)
        open_deliveries--;
    last_progress_ns = now_ns();
    if (kind == RATE || kind == LISTEN) { /* in a closed loop, latency says how long the window is, and nothing else */
        uint64_t sent_ns = sent_at_ns(packet, length);
        if (sent_ns)
            histogram_record(now_ns() - sent_ns);
    }
}

void load_acknowledged(struct connection *connection) {
    if (open_echoes == 0)
        return;
    open_echoes--;
    load_counts.echoes++;
    last_progress_ns = now_ns();
    histogram_record(last_progress_ns - connection->asked_ns);
    if (kind == ECHO)
        echo(connection);
}
