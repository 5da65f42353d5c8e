/* A load generator for Socket.IO servers: thousands of clients in one thread.
 *
 * It is told what to do, a command a line, on standard input, and answers each with one line of JSON on standard output
 * once it is done:
 *
 *   connect              make all connections, `--at-once` at a time
 *   join                 let each join its room, as many at a time
 *   window OUTSTANDING   begin to broadcast in a closed loop
 *   rate PER_SECOND      begin to broadcast in an open loop
 *   listen               begin to measure how long the events of others took
 *   echo                 begin to ask for acknowledgements
 *   count                nothing: for its answer, in the middle of a load
 *   stop                 end the load, and wait for what is on its way
 *   close                close all connections
 *
 * Every answer counts from the one before. The end of standard input ends the program. Between commands, connections
 * live on: pings are answered.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "clock.h"
#include "connection.h"
#include "histogram.h"
#include "load.h"

#define EVENTS 512
#define MAX_PORTS 8
#define POLL_MS 50 /* how often a command that waits for an end looks for it when nothing comes in */

static struct connection *connections;
static in_port_t ports[MAX_PORTS];
static int port_count;
static int connection_count = 1, room_size = 1, at_once = 64, opened, joining;
static enum { IDLE, CONNECT, JOIN, STOP } under_way;
static char command_name[16];
static uint64_t last_answer_ns;
static int timer;

static void fail(const char *what) {
    fprintf(stderr, "loadgen: %s\n", what);
    exit(2);
}

/* Answers */

static void answer(void) {
    uint64_t now = now_ns();
    printf("{\"command\":\"%s\",\"seconds\":%.6f,\"ready\":%d,\"joined\":%d,\"lost\":%d,\"sent\":%llu,"
           "\"deliveries\":%llu,\"echoes\":%llu,\"missing\":%llu,\"p50_us\":%llu,\"p99_us\":%llu}\n",
           command_name, (double)(now - last_answer_ns) / NS_PER_S, counters.ready, counters.joined, counters.lost,
           (unsigned long long)load_counts.sent, (unsigned long long)load_counts.deliveries,
           (unsigned long long)load_counts.echoes, (unsigned long long)load_counts.missing,
           (unsigned long long)histogram_quantile_us(0.5), (unsigned long long)histogram_quantile_us(0.99));
    fflush(stdout);
    load_counts = (struct load_counts){0};
    histogram_clear();
    last_answer_ns = now;
}

/* Commands */

static void begin(char *line) {
    char *argument = strchr(line, ' ');
    double number = argument ? atof(argument + 1) : 0;
    if (argument)
        *argument = '\0';
    snprintf(command_name, sizeof command_name, "%.15s", line);
    if (strcmp(line, "connect") == 0) {
        under_way = CONNECT;
        last_answer_ns = now_ns();
    } else if (strcmp(line, "join") == 0) {
        under_way = JOIN;
        last_answer_ns = now_ns();
    } else if (strcmp(line, "stop") == 0) {
        under_way = STOP;
        load_stop();
    } else if (strcmp(line, "window") == 0 && number >= 1) {
        load_window((unsigned)number);
        answer();
    } else if (strcmp(line, "rate") == 0 && number > 0) {
        load_rate(number);
        answer();
    } else if (strcmp(line, "listen") == 0) {
        load_listen();
        answer();
    } else if (strcmp(line, "echo") == 0) {
        load_echo();
        answer();
    } else if (strcmp(line, "count") == 0) {
        answer();
    } else if (strcmp(line, "close") == 0) {
        load_stop();
        last_answer_ns = now_ns();
        for (int i = 0; i < connection_count; i++)
            connection_close(&connections[i]);
        answer();
    } else {
        fail("no such command, or a number is missing");
    }
}

/* Go on with the command under way, and answer it when it is done. */
static void proceed(void) {
    if (under_way == CONNECT)
        while (opened < connection_count && counters.waiting < at_once)
            connection_open(&connections[opened++]);
    if (under_way == JOIN)
        while (joining < connection_count && counters.waiting < at_once) {
            struct connection *next = &connections[joining++];
            if (next->state == READY)
                connection_join(next);
        }
    int done = (under_way == CONNECT && opened == connection_count && counters.waiting == 0) ||
               (under_way == JOIN && joining == connection_count && counters.waiting == 0) ||
               (under_way == STOP && load_drained());
    if (done) {
        under_way = IDLE;
        answer();
    }
}

static void read_commands(void) {
    static char text[4096];
    static size_t length;
    ssize_t got = read(STDIN_FILENO, text + length, sizeof text - length - 1);
    if (got <= 0)
        exit(0);
    length += (size_t)got;
    text[length] = '\0';
    for (char *end; (end = strchr(text, '\n'));) {
        *end = '\0';
        begin(text);
        length -= (size_t)(end + 1 - text);
        memmove(text, end + 1, length + 1);
    }
}

/* Start */

/* A file's lines, of which there must be `count`. They stay in memory for ever. */
static char **lines_of(const char *path, int count) {
    FILE *file = fopen(path, "r");
    char **lines = calloc((size_t)count, sizeof *lines);
    size_t room = 0;
    if (file == NULL || lines == NULL)
        fail("a file of --auth or --rooms cannot be read");
    for (int i = 0; i < count; i++) {
        if (getline(&lines[i], &room, file) < 0)
            fail("a file of --auth or --rooms has too few lines");
        lines[i][strcspn(lines[i], "\n")] = '\0';
        room = 0;
    }
    fclose(file);
    return lines;
}

static char **numbered_rooms(int count) {
    char **names = calloc((size_t)count, sizeof *names);
    for (int i = 0; names && i < count; i++) {
        names[i] = malloc(16);
        snprintf(names[i], 16, "r%d", i);
    }
    return names;
}

static enum dialect dialect_named(const char *name) {
    static const char *const NAMES[] = {[PLAIN] = "plain", [HUB] = "hub", [HUB_KEPT] = "hub-kept"};
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++)
        if (strcmp(name, NAMES[i]) == 0)
            return (enum dialect)i;
    fail("no such dialect");
    return PLAIN;
}

static void parse(int argc, char **argv) {
    static const struct option OPTIONS[] = {
        {"port", required_argument, 0, 'p'},       {"connections", required_argument, 0, 'n'},
        {"room-size", required_argument, 0, 's'},  {"at-once", required_argument, 0, 'c'},
        {"dialect", required_argument, 0, 'd'},    {"auth", required_argument, 0, 'a'},
        {"rooms", required_argument, 0, 'r'},      {"first-source", required_argument, 0, 'f'},
        {"per-source", required_argument, 0, 'e'}, {0, 0, 0, 0},
    };
    const char *auth_file = NULL, *rooms_file = NULL;
    target.first_source = INADDR_LOOPBACK;
    target.per_source = 500;
    for (int option; (option = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1;)
        switch (option) {
        case 'p':
            if (port_count == MAX_PORTS)
                fail("too many ports");
            ports[port_count++] = (in_port_t)atoi(optarg);
            break;
        case 'n': connection_count = atoi(optarg); break;
        case 's': room_size = atoi(optarg); break;
        case 'c': at_once = atoi(optarg); break;
        case 'd': target.dialect = dialect_named(optarg); break;
        case 'a': auth_file = optarg; break;
        case 'r': rooms_file = optarg; break;
        case 'f': target.first_source = ntohl(inet_addr(optarg)); break;
        case 'e': target.per_source = atoi(optarg); break;
        default: exit(2);
        }
    if (port_count == 0)
        fail("--port is missing");
    if (connection_count < 1 || room_size < 1 || connection_count % room_size || target.per_source < 1 || at_once < 1)
        fail("--connections must be a multiple of --room-size, and all numbers positive");

    int rooms = connection_count / room_size;
    char **auth = auth_file ? lines_of(auth_file, connection_count) : NULL;
    char **names = rooms_file ? lines_of(rooms_file, rooms) : numbered_rooms(rooms);
    connections = calloc((size_t)connection_count, sizeof *connections);
    if (connections == NULL || names == NULL)
        fail("out of memory");
    for (int i = 0; i < connection_count; i++) {
        connections[i].number = i;
        /* Over all nodes the members of each room, and those whose turn it is to broadcast. */
        connections[i].port = ports[(i + i / room_size) % port_count];
        connections[i].auth = auth ? auth[i] : "";
        connections[i].room = names[i / room_size];
    }
    load_init(connections, connection_count, room_size);
}

static void watch(int fd, void *mark) {
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = mark};
    if (epoll_ctl(target.epoll, EPOLL_CTL_ADD, fd, &event) < 0)
        fail("standard input must be a pipe");
}

/* Wake up at `due_ns`; 0 for never. epoll_wait itself counts in milliseconds. */
static void set_timer(uint64_t due_ns) {
    struct itimerspec when = {0};
    when.it_value.tv_sec = (time_t)(due_ns / NS_PER_S);
    when.it_value.tv_nsec = (long)(due_ns % NS_PER_S);
    timerfd_settime(timer, TFD_TIMER_ABSTIME, &when, NULL);
}

int main(int argc, char **argv) {
    static struct epoll_event events[EVENTS];
    parse(argc, argv);
    target.epoll = epoll_create1(0);
    timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    watch(STDIN_FILENO, NULL);
    watch(timer, &timer);
    last_answer_ns = now_ns();
    for (uint64_t set_ns = 0;;) {
        proceed();
        uint64_t due_ns = load_send_due();
        if (due_ns != set_ns)
            set_timer(set_ns = due_ns);
        int count = epoll_wait(target.epoll, events, EVENTS, POLL_MS);
        if (count < 0 && errno != EINTR)
            fail(strerror(errno));
        for (int i = 0; i < count; i++) {
            if (events[i].data.ptr == NULL) {
                read_commands();
            } else if (events[i].data.ptr == &timer) {
                uint64_t expirations; /* read, so that it can expire again */
                (void)!read(timer, &expirations, sizeof expirations);
            } else {
                connection_event(events[i].data.ptr, events[i].events);
            }
        }
    }
}
