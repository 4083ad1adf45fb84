// Load on one server: answers whole (JSON) or as streams, in one epoll thread.
//
//   load PORT CONNECTIONS SECONDS REQUEST SAMPLES RATE RAMP SOURCES
//
// REQUEST: file with the exact bytes of one HTTP request. Every connection sends it, reads the answer, sends it again.
// RATE: requests per second over all connections, 0 for as fast as they are answered. With a rate a time counts from
//   when the request was due, so that a server that stalls does not hide the requests it kept from being sent.
// RAMP: connections opened per second, 0 for all at once. SOURCES: how many addresses 127.0.0.x to come from.
// SAMPLES.answer: nanoseconds of each answer (uint64; of a stream: until its first chunk);
// SAMPLES.chunk: nanoseconds from the provider's stamp in each chunk until it is read here.
// Prints one line of JSON: counts, and the first thing that went wrong.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define STAMP_DIGITS 19
#define TAIL_BYTES 48
#define READ_BYTES 262144
#define EVENTS_MAX 512
#define RETRY_NS 10000000LL

enum state { CLOSED, CONNECTING, IDLE, WAITING };

typedef struct conn {
    int fd, source;
    enum state state;
    int64_t asked_ns, retry_ns;
    long body_left;           // -1: chunked or until the end, see is_chunked
    int has_head, is_chunked, is_good, is_done, has_first, has_answered;
    int tail_len;
    char tail[TAIL_BYTES];    // the end of the last read: a stamp may be cut in two
    struct conn *next_idle;
} conn;

typedef struct { uint64_t *values; size_t len, cap; } samples;

static struct { long answers, errors, chunks; char first_error[240]; } seen;
static samples answer_ns, chunk_ns;
static char *request;
static size_t request_len;
static int is_stream, port, sources, epoll_fd, timer_fd;
static int64_t end_ns, interval_ns, due_ns;
static conn *idle;

static int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void keep(samples *s, int64_t value) {
    if (s->len == s->cap) s->values = realloc(s->values, (s->cap = s->cap ? s->cap * 2 : 65536) * sizeof *s->values);
    s->values[s->len++] = value < 0 ? 0 : value;
}

static void write_out(const samples *s, const char *prefix, const char *suffix) {
    char path[1024];
    snprintf(path, sizeof path, "%s.%s", prefix, suffix);
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(s->values, sizeof *s->values, s->len, f) != s->len || fclose(f)) {
        perror(path);
        exit(1);
    }
}

static void note_error(const char *what, const char *data, size_t len) {
    if (seen.errors++) return;
    int n = snprintf(seen.first_error, sizeof seen.first_error, "%s: ", what);
    for (size_t i = 0; i < len && n < (int)sizeof seen.first_error - 1; i++)
        seen.first_error[n++] = data[i] < ' ' || data[i] == '"' || data[i] == '\\' ? ' ' : data[i];
}

static void watch(conn *c, int how, uint32_t events) {
    struct epoll_event e = {.events = events, .data.ptr = c};
    epoll_ctl(epoll_fd, how, c->fd, &e);
}

static void leave_idle(conn *c) {
    conn **at = &idle;
    while (*at && *at != c) at = &(*at)->next_idle;
    if (*at) *at = c->next_idle;
}

static void failed(conn *c, const char *what, const char *data, size_t len) {
    note_error(what, data, len);
    if (c->state == IDLE) leave_idle(c);
    if (c->fd >= 0) close(c->fd);
    c->fd = -1;
    c->state = CLOSED;
    c->retry_ns = now_ns() + RETRY_NS;
}

static void dial(conn *c) {
    int one = 1;
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (c->fd < 0) return failed(c, "socket", strerror(errno), strlen(strerror(errno)));
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (sources > 1) {
        struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK + c->source % sources)};
        setsockopt(c->fd, SOL_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
        if (bind(c->fd, (struct sockaddr *)&from, sizeof from)) return failed(c, "bind", "", 0);
    }
    c->asked_ns = now_ns();
    if (connect(c->fd, (struct sockaddr *)&to, sizeof to) && errno != EINPROGRESS)
        return failed(c, "connect", strerror(errno), strlen(strerror(errno)));
    c->state = CONNECTING;
    watch(c, EPOLL_CTL_ADD, EPOLLIN | EPOLLOUT);
}

static void ask(conn *c, int64_t asked_ns) {
    c->asked_ns = asked_ns;
    c->has_head = c->is_chunked = c->is_good = c->is_done = c->has_first = c->tail_len = 0;
    c->body_left = -1;
    c->state = WAITING;
    if (send(c->fd, request, request_len, MSG_NOSIGNAL) != (ssize_t)request_len) failed(c, "send", "", 0);
}

// A connection that is free asks at once, or waits for its turn when there is a rate.
static void ready(conn *c) {
    if (!interval_ns) return ask(c, c->has_answered ? now_ns() : c->asked_ns);
    c->state = IDLE;
    c->next_idle = idle;
    idle = c;
}

static void answered(conn *c, int64_t now) {
    if (!c->is_good) return failed(c, "an answer without content", "", 0);
    if (!is_stream) keep(&answer_ns, now - c->asked_ns);
    seen.answers++;
    c->has_answered = 1;
    ready(c);
}

// Returns the bytes of the head in data, 0 when it was refused (the connection is then closed).
static size_t take_head(conn *c, char *data, size_t len) {
    char *end = memmem(data, len, "\r\n\r\n", 4);
    if (!end || strncmp(data, "HTTP/1.1 200", 12)) return failed(c, "not 200", data, len), 0;
    end[3] = 0;
    char *length = strcasestr(data, "\r\ncontent-length:");
    c->is_chunked = strcasestr(data, "\r\ntransfer-encoding: chunked") != NULL;
    c->body_left = length ? atol(length + 17) : -1;
    c->has_head = 1;
    return end + 4 - data;
}

// Returns where the part that is fully understood ends.
static char *take_stamps(conn *c, char *at, char *end, int64_t now) {
    char *done = at;
    while ((at = memchr(at, '@', end - at)) && end - at > STAMP_DIGITS) {
        int64_t stamp = strtoll(at + 1, NULL, 10);
        if (!c->has_first) keep(&answer_ns, now - c->asked_ns);
        c->has_first = c->is_good = 1;
        keep(&chunk_ns, now - stamp);
        seen.chunks++;
        done = at += STAMP_DIGITS + 1;
    }
    return done;
}

static void take_body(conn *c, char *from, char *fresh, char *end) {
    int64_t now = now_ns();
    if (is_stream) {
        from = take_stamps(c, from, end, now);
        if (memmem(from, end - from, "[DONE]", 6)) c->is_done = 1;
    } else if (memmem(from, end - from, "\"chat.completion\"", 17)) {
        c->is_good = c->is_done = 1;
    }
    if (c->body_left >= 0) c->body_left -= end - fresh;
    int is_end = c->body_left == 0 || (c->is_chunked && end - from >= 5 && !memcmp(end - 5, "0\r\n\r\n", 5));
    if (is_end && !c->is_done) return failed(c, "ended before it was complete", from, end - from);
    if (is_end) return answered(c, now);
    c->tail_len = end - from < TAIL_BYTES ? end - from : TAIL_BYTES;
    memcpy(c->tail, end - c->tail_len, c->tail_len);
}

static void take_end(conn *c) {
    int is_whole = c->state == WAITING && c->has_head && c->is_done && !c->is_chunked && c->body_left < 0;
    if (c->state != IDLE && !is_whole) return failed(c, "connection ended", "", 0);
    leave_idle(c);
    close(c->fd);
    if (is_whole) seen.answers++;
    dial(c);
}

static void take_input(conn *c) {
    static char buffer[TAIL_BYTES + READ_BYTES + 1];
    char *fresh = buffer + c->tail_len;
    memcpy(buffer, c->tail, c->tail_len);
    ssize_t n = recv(c->fd, fresh, READ_BYTES, 0);
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) return take_end(c);
    fresh[n] = 0;
    if (c->state != WAITING) return failed(c, "bytes nobody asked for", fresh, n);
    size_t head = c->has_head ? 0 : take_head(c, fresh, n);
    if (c->has_head && c->state == WAITING) take_body(c, head ? fresh + head : buffer, fresh + head, fresh + n);
}

static void take_event(conn *c, uint32_t events) {
    if (c->state == CONNECTING) {
        int error = 0;
        socklen_t size = sizeof error;
        getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &size);
        if (error) return failed(c, "connect", strerror(error), strlen(strerror(error)));
        if (!(events & EPOLLOUT)) return;
        watch(c, EPOLL_CTL_MOD, EPOLLIN);
        return ready(c);
    }
    if (c->state != CLOSED) take_input(c);
}

// Requests whose time has come go to idle connections; without one they wait, and their time runs.
static void send_due(int64_t now) {
    while (interval_ns && idle && due_ns <= now) {
        conn *c = idle;
        idle = c->next_idle;
        ask(c, due_ns);
        due_ns += interval_ns;
    }
    if (!interval_ns) return;
    struct itimerspec when = {.it_value = {due_ns / 1000000000LL, due_ns % 1000000000LL}};
    timerfd_settime(timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
}

static int open_more(conn *all, int opened, int total, int64_t began_ns, double ramp) {
    int64_t now = now_ns();
    int wanted = ramp > 0 ? (int)((now - began_ns) / 1e9 * ramp) + 1 : total;
    if (wanted > total) wanted = total;
    for (; opened < wanted; opened++) {
        all[opened].source = opened;
        dial(&all[opened]);
    }
    if (seen.errors)
        for (int i = 0; i < opened; i++)
            if (all[i].state == CLOSED && all[i].retry_ns <= now) dial(&all[i]);
    return opened;
}

static void run(conn *all, int total, int64_t began_ns, double ramp) {
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = NULL}, got[EVENTS_MAX];
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, timer_fd, &e);
    int opened = 0;
    int64_t now;
    while ((now = now_ns()) < end_ns) {
        if (opened < total || seen.errors) opened = open_more(all, opened, total, began_ns, ramp);
        send_due(now);
        int64_t left_ms = (end_ns - now) / 1000000 + 1, tick_ms = opened < total || seen.errors ? 1 : 50;
        int n = epoll_wait(epoll_fd, got, EVENTS_MAX, left_ms < tick_ms ? left_ms : tick_ms);
        for (int i = 0; i < n; i++) {
            uint64_t expired;
            if (got[i].data.ptr) take_event(got[i].data.ptr, got[i].events);
            else if (read(timer_fd, &expired, sizeof expired) < 0 && errno != EAGAIN) exit(1);
        }
    }
}

// With a rate, what was due and not answered when the time was up counts with the time it has waited so far.
static void keep_unanswered(const conn *all, int total) {
    if (!interval_ns) return;
    for (int i = 0; i < total; i++)
        if (all[i].state == WAITING && !all[i].has_first) keep(&answer_ns, end_ns - all[i].asked_ns);
    for (; due_ns < end_ns; due_ns += interval_ns) keep(&answer_ns, end_ns - due_ns);
}

static void read_request(const char *path) {
    FILE *f = fopen(path, "rb");
    request = calloc(1, 1 << 20);
    if (!f || !(request_len = fread(request, 1, (1 << 20) - 1, f))) {
        perror(path);
        exit(1);
    }
    fclose(f);
    is_stream = strstr(request, "\"stream\":true") != NULL;
}

int main(int argc, char **argv) {
    if (argc != 9) return fprintf(stderr, "usage: load PORT CONNECTIONS SECONDS REQUEST SAMPLES RATE RAMP SOURCES\n"), 2;
    prctl(PR_SET_PDEATHSIG, SIGKILL); // never outlives the bench that started it
    port = atoi(argv[1]);
    int total = atoi(argv[2]), open = 0;
    double rate = atof(argv[6]), ramp = atof(argv[7]);
    sources = atoi(argv[8]);
    read_request(argv[4]);
    epoll_fd = epoll_create1(0);
    timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    conn *all = calloc(total, sizeof *all);
    int64_t began_ns = now_ns();
    due_ns = began_ns + RETRY_NS; // time to connect
    end_ns = began_ns + (int64_t)(atof(argv[3]) * 1e9);
    interval_ns = rate > 0 ? (int64_t)(1e9 / rate) : 0;
    run(all, total, began_ns, ramp);
    keep_unanswered(all, total);
    double elapsed_s = (now_ns() - began_ns) / 1e9;
    for (int i = 0; i < total; i++) open += all[i].state == WAITING && all[i].has_first;
    write_out(&answer_ns, argv[5], "answer");
    write_out(&chunk_ns, argv[5], "chunk");
    printf("{\"elapsed_s\":%.6f,\"answers\":%ld,\"errors\":%ld,\"chunks\":%ld,\"open\":%d,\"first_error\":\"%s\"}\n",
        elapsed_s, seen.answers, seen.errors, seen.chunks, open, seen.first_error);
}
