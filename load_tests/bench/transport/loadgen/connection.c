#define _GNU_SOURCE /* memmem */
#include "connection.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "histogram.h"
#include "load.h"
#include "websocket.h"

#ifndef IP_BIND_ADDRESS_NO_PORT
#define IP_BIND_ADDRESS_NO_PORT 24
#endif

#define REPORTED 5 /* lost connections that are told of one by one */
#define FULL_MS 2000 /* longest wait for a server that does not read what we send */

struct target target;
struct counters counters;

static char inbox[256 * 1024];

static void lose(struct connection *connection, const char *why, const char *text, size_t length) {
    if (connection->state == CLOSED)
        return;
    if (counters.lost++ < REPORTED)
        fprintf(stderr, "connection %d lost: %s %.*s\n", connection->number, why, (int)(length < 300 ? length : 300),
                text ? text : "");
    if (connection->state != READY && connection->state != JOINED)
        counters.waiting--;
    connection_close(connection);
}

static void send_bytes(struct connection *connection, const char *bytes, size_t length) {
    while (length > 0) {
        ssize_t sent = send(connection->fd, bytes, length, MSG_NOSIGNAL);
        if (sent >= 0) {
            bytes += sent;
            length -= (size_t)sent;
            continue;
        }
        struct pollfd writable = {.fd = connection->fd, .events = POLLOUT};
        if (errno != EAGAIN || poll(&writable, 1, FULL_MS) <= 0) {
            lose(connection, "cannot send:", strerror(errno), strlen(strerror(errno)));
            return;
        }
    }
}

static void send_frame(struct connection *connection, int opcode, const char *payload, size_t length) {
    static char frame[MAX_MESSAGE + WS_MAX_HEADER];
    if (length > MAX_MESSAGE)
        lose(connection, "what we would send is too long", NULL, 0);
    else
        send_bytes(connection, frame, ws_write(frame, opcode, payload, length));
}

void connection_send(struct connection *connection, const char *packet, size_t length) {
    send_frame(connection, WS_TEXT, packet, length);
}

/* Opening and closing */

void connection_open(struct connection *connection) {
    struct sockaddr_in source = {.sin_family = AF_INET}, server = {.sin_family = AF_INET};
    source.sin_addr.s_addr = htonl(target.first_source + (uint32_t)(connection->number / target.per_source));
    server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    server.sin_port = htons(connection->port);

    connection->state = CONNECTING;
    connection->asked_ns = now_ns();
    counters.waiting++;
    connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    int on = 1;
    setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    /* The port is chosen at connect, so that every source address has all ports to itself. */
    setsockopt(connection->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    struct epoll_event event = {.events = EPOLLOUT | EPOLLIN, .data.ptr = connection};
    if (connection->fd < 0 || bind(connection->fd, (struct sockaddr *)&source, sizeof source) < 0 ||
        (connect(connection->fd, (struct sockaddr *)&server, sizeof server) < 0 && errno != EINPROGRESS) ||
        epoll_ctl(target.epoll, EPOLL_CTL_ADD, connection->fd, &event) < 0)
        lose(connection, "cannot connect:", strerror(errno), strlen(strerror(errno)));
}

void connection_close(struct connection *connection) {
    if (connection->state == UNUSED || connection->state == CLOSED)
        return;
    connection->state = CLOSED;
    if (connection->fd >= 0)
        close(connection->fd);
    free(connection->rest);
    connection->rest = NULL;
    connection->rest_length = connection->rest_room = 0;
}

void connection_join(struct connection *connection) {
    char packet[MAX_MESSAGE];
    connection->state = JOINING;
    counters.waiting++;
    connection_send(connection, packet, say_join(packet, target.dialect, connection->room));
}

static void connected(struct connection *connection) {
    int failure = 0;
    socklen_t size = sizeof failure;
    getsockopt(connection->fd, SOL_SOCKET, SO_ERROR, &failure, &size);
    if (failure) {
        lose(connection, "cannot connect:", strerror(failure), strlen(strerror(failure)));
        return;
    }
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
    epoll_ctl(target.epoll, EPOLL_CTL_MOD, connection->fd, &event);
    /* As a browser asks, apart from compression, which none of the servers is measured with. */
    char request[512];
    int length = snprintf(request, sizeof request,
                          "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\n"
                          "Host: 127.0.0.1:%d\r\n"
                          "Origin: http://127.0.0.1:%d\r\n"
                          "Connection: Upgrade\r\n"
                          "Upgrade: websocket\r\n"
                          "User-Agent: loadgen\r\n"
                          "Sec-WebSocket-Version: 13\r\n"
                          "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
                          connection->port, connection->port);
    connection->state = UPGRADING;
    send_bytes(connection, request, (size_t)length);
}

static void ready(struct connection *connection) {
    connection->state = READY;
    counters.ready++;
    counters.waiting--;
    histogram_record(now_ns() - connection->asked_ns);
}

/* Receiving, from the outermost layer to the innermost */

static void socketio_packet(struct connection *connection, const char *packet, size_t length) {
    if (is_failure(packet, length)) {
        lose(connection, "refused:", packet, length);
    } else if (is_delivery(target.dialect, packet, length)) {
        load_delivery(packet, length);
    } else if (packet[0] == '3' && connection->state == JOINING) {
        connection->state = JOINED;
        counters.joined++;
        counters.waiting--;
    } else if (packet[0] == '3') {
        load_acknowledged(connection);
    } else if (connection->state == OPENING &&
               (target.dialect != PLAIN ? is_ready(packet, length) : packet[0] == '0')) {
        ready(connection);
    }
    /* Whatever else comes, such as who entered a room, is another feature's. */
}

static void engineio_packet(struct connection *connection, const char *packet, size_t length) {
    char answer[MAX_MESSAGE];
    switch (length ? packet[0] : 0) {
    case '0': /* open */
        connection_send(connection, answer, say_connect(answer, target.dialect, connection->auth));
        break;
    case '2': /* ping */
        connection_send(connection, "3", 1);
        break;
    case '4': /* message */
        if (length > 1)
            socketio_packet(connection, packet + 1, length - 1);
        break;
    case '6': /* noop */
        break;
    default:
        lose(connection, "unexpected Engine.IO packet:", packet, length);
    }
}

static void frame(struct connection *connection, const struct ws_frame *frame) {
    switch (frame->opcode) {
    case WS_TEXT:
        engineio_packet(connection, frame->payload, frame->length);
        break;
    case WS_PING:
        send_frame(connection, WS_PONG, frame->payload, frame->length);
        break;
    case WS_PONG:
        break;
    default:
        lose(connection, frame->opcode == WS_CLOSE ? "closed by the server" : "unexpected opcode", NULL, 0);
    }
}

/* Handle what is whole of these bytes; returns how many those were. */
static size_t consume(struct connection *connection, const char *bytes, size_t length) {
    size_t at = 0;
    if (connection->state == UPGRADING) {
        const char *end = memmem(bytes, length, "\r\n\r\n", 4);
        if (end == NULL)
            return 0;
        at = (size_t)(end - bytes) + 4;
        if (memcmp(bytes, "HTTP/1.1 101 ", 13) != 0) {
            lose(connection, "no WebSocket:", bytes, at);
            return length;
        }
        connection->state = OPENING;
    }
    struct ws_frame next;
    enum ws_parsed parsed;
    while ((parsed = ws_parse(bytes + at, length - at, &next)) == WS_FRAME) {
        frame(connection, &next);
        if (connection->state == CLOSED)
            return length;
        at += next.size;
    }
    if (parsed == WS_UNEXPECTED)
        lose(connection, "a frame that no server should send", NULL, 0);
    return at;
}

static void keep(struct connection *connection, const char *bytes, size_t length) {
    if (connection->rest_length + length > connection->rest_room) {
        connection->rest_room = connection->rest_length + length + 1024;
        connection->rest = realloc(connection->rest, connection->rest_room);
        if (connection->rest == NULL)
            abort();
    }
    memcpy(connection->rest + connection->rest_length, bytes, length);
    connection->rest_length += length;
}

static void receive(struct connection *connection) {
    ssize_t got = recv(connection->fd, inbox, sizeof inbox, 0);
    if (got <= 0) {
        if (got == 0 || errno != EAGAIN)
            lose(connection, got == 0 ? "end of stream" : strerror(errno), NULL, 0);
        return;
    }
    const char *bytes = inbox;
    size_t length = (size_t)got;
    if (connection->rest_length > 0) {
        keep(connection, inbox, length);
        bytes = connection->rest;
        length = connection->rest_length;
    }
    size_t used = consume(connection, bytes, length);
    if (connection->state == CLOSED)
        return;
    if (bytes == inbox) {
        if (used < length)
            keep(connection, bytes + used, length - used);
    } else {
        memmove(connection->rest, bytes + used, length - used);
        connection->rest_length = length - used;
    }
}

void connection_event(struct connection *connection, uint32_t events) {
    if (connection->state == CLOSED)
        return;
    if (connection->state == CONNECTING)
        connected(connection);
    else if (events & (EPOLLIN | EPOLLERR | EPOLLHUP))
        receive(connection);
}
