// A fake provider: answers as JSON and as streams, in one epoll thread, so that it is never the limit.
//
//   provider PORT MODEL KEY
//
// It speaks OpenAI chat, and Anthropic messages to a POST whose path ends in /messages.
// A request says what it wants somewhere in its body, best in a message, which no gateway leaves out:
//   bench:delay=22,interval=20,chunks=200
// delay: milliseconds before the answer; interval: milliseconds between chunks, 0 for one burst.
// Each chunk carries "@" and 19 digits: the monotonic clock (ns) when it was written.
// 400 unless the body names MODEL and the head carries KEY: a gateway that skips that work has no figures.
// A path that begins with /refuse/STATUS/CODE/ is answered with that status and an error of that code.
// GET /stats gives the counts as JSON; "gone" are answers whose reader left before their end.
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
#define CHUNKS_MAX 10000
#define CHUNK_BYTES_MAX 1400
#define EVENTS_MAX 512

enum wire { OPENAI, ANTHROPIC, WIRES };

typedef struct conn {
    int fd;
    char *in;
    size_t in_len, in_cap;
    char *out;
    size_t out_len, out_off, out_cap;
    enum wire wire;
    int chunks, seq, interval_ms; // a stream in progress has seq < chunks
    int is_json_due, is_queued, is_dead;
    int64_t due_ns;
} conn;

static struct { long requests, refused, wrong, gone, open; int64_t gone_ns; } stats;
static const char *model, *key;
static char json_answers[WIRES][4096];
static size_t json_lens[WIRES];
static int epoll_fd, timer_fd;

static int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

// The queue of what is due: a binary heap by time. A dead connection stays in it until its turn comes.
static conn **heap;
static size_t heap_len, heap_cap;

static void arm(void) {
    struct itimerspec when = {0};
    if (heap_len) {
        when.it_value.tv_sec = heap[0]->due_ns / 1000000000LL;
        when.it_value.tv_nsec = heap[0]->due_ns % 1000000000LL;
    }
    timerfd_settime(timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
}

static void queue(conn *c) {
    if (heap_len == heap_cap) heap = realloc(heap, (heap_cap = heap_cap ? heap_cap * 2 : 1024) * sizeof *heap);
    size_t at = heap_len++;
    while (at && heap[(at - 1) / 2]->due_ns > c->due_ns) {
        heap[at] = heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    heap[at] = c;
    c->is_queued = 1;
}

static conn *unqueue(void) {
    conn *first = heap[0], *last = heap[--heap_len];
    size_t at = 0;
    for (;;) {
        size_t child = at * 2 + 1;
        if (child >= heap_len) break;
        if (child + 1 < heap_len && heap[child + 1]->due_ns < heap[child]->due_ns) child++;
        if (heap[child]->due_ns >= last->due_ns) break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = last;
    first->is_queued = 0;
    return first;
}

static void put(conn *c, const char *data, size_t len) {
    if (c->out_len + len > c->out_cap) c->out = realloc(c->out, c->out_cap = (c->out_len + len) * 2);
    memcpy(c->out + c->out_len, data, len);
    c->out_len += len;
}

static const char STREAM_HEAD[] =
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ncache-control: no-cache\r\n"
    "transfer-encoding: chunked\r\nx-request-id: req_0123456789abcdef\r\n\r\n";
#define EVENT_FRONT                                                                                      \
    "data: {\"id\":\"chatcmpl-0123456789ab\",\"object\":\"chat.completion.chunk\",\"created\":1760000000," \
    "\"model\":\"%s\",\"service_tier\":\"default\",\"system_fingerprint\":\"fp_0123456789\",\"choices\":"

static int openai_chunk(char *event, const conn *c, int64_t stamp_ns) {
    if (c->seq == c->chunks - 1)
        return snprintf(event, CHUNK_BYTES_MAX, EVENT_FRONT
            "[{\"index\":0,\"delta\":{},\"logprobs\":null,\"finish_reason\":\"stop\"}],\"usage\":null}\n\ndata: [DONE]\n\n",
            model);
    return snprintf(event, CHUNK_BYTES_MAX, EVENT_FRONT
        "[{\"index\":0,\"delta\":{%s\"content\":\"@%0*lld word%d \"},\"logprobs\":null,\"finish_reason\":null}],"
        "\"usage\":null}\n\n", model, c->seq ? "" : "\"role\":\"assistant\",", STAMP_DIGITS, (long long)stamp_ns,
        c->seq);
}

#define EVENT(type, rest) "event: " type "\ndata: {\"type\":\"" type "\"" rest "}\n\n"

static int anthropic_chunk(char *event, const conn *c, int64_t stamp_ns) {
    int len = 0;
    if (c->seq == c->chunks - 1)
        return snprintf(event, CHUNK_BYTES_MAX, EVENT("content_block_stop", ",\"index\":0")
            EVENT("message_delta", ",\"delta\":{\"stop_reason\":\"end_turn\",\"stop_sequence\":null},\"usage\":"
                "{\"input_tokens\":310,\"cache_creation_input_tokens\":0,\"cache_read_input_tokens\":0,\"output_tokens\":%d}")
            EVENT("message_stop", ""), c->chunks - 1);
    if (!c->seq)
        len = snprintf(event, CHUNK_BYTES_MAX,
            EVENT("message_start", ",\"message\":{\"id\":\"msg_0123456789ab\",\"type\":\"message\",\"role\":\"assistant\","
                "\"model\":\"%s\",\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,\"usage\":{\"input_tokens\":310,"
                "\"cache_creation_input_tokens\":0,\"cache_read_input_tokens\":0,\"output_tokens\":1}}")
            EVENT("content_block_start", ",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}"), model);
    return len + snprintf(event + len, CHUNK_BYTES_MAX - len,
        EVENT("content_block_delta", ",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"@%0*lld word%d \"}"),
        STAMP_DIGITS, (long long)stamp_ns, c->seq);
}

static void put_chunk(conn *c, int64_t stamp_ns) {
    char event[CHUNK_BYTES_MAX], size[16];
    int len = (c->wire == ANTHROPIC ? anthropic_chunk : openai_chunk)(event, c, stamp_ns);
    put(c, size, snprintf(size, sizeof size, "%x\r\n", len));
    put(c, event, len);
    put(c, "\r\n", 2);
    if (++c->seq == c->chunks) {
        put(c, "0\r\n\r\n", 5);
        stats.open--;
    }
}

// A burst is written once and kept; only the stamps are new each time.
static void put_burst(conn *c) {
    static struct { char *bytes; size_t len; int chunks; } all_kept[WIRES], *kept;
    size_t from = c->out_len;
    char stamp[STAMP_DIGITS + 1];
    snprintf(stamp, sizeof stamp, "%0*lld", STAMP_DIGITS, (long long)now_ns());
    kept = &all_kept[c->wire];
    if (kept->chunks != c->chunks) {
        while (c->seq < c->chunks) put_chunk(c, 0);
        kept->len = c->out_len - from;
        kept->bytes = realloc(kept->bytes, kept->len);
        memcpy(kept->bytes, c->out + from, kept->len);
        kept->chunks = c->chunks;
    } else {
        put(c, kept->bytes, kept->len);
        c->seq = c->chunks;
        stats.open--;
    }
    char *end = c->out + c->out_len;
    for (char *at = c->out + from; (at = memchr(at, '@', end - at)); at += STAMP_DIGITS) memcpy(++at, stamp, STAMP_DIGITS);
}

static void answer_stats(conn *c) {
    char body[300], head[128];
    int len = snprintf(body, sizeof body,
        "{\"requests\":%ld,\"refused\":%ld,\"wrong\":%ld,\"gone\":%ld,\"open\":%ld,\"gone_ns\":%lld}", stats.requests,
        stats.refused, stats.wrong, stats.gone, stats.open, (long long)stats.gone_ns);
    put(c, head, snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n", len));
    put(c, body, len);
}

static void answer_error(conn *c, int status, const char *code) {
    char body[400], head[160];
    int len = snprintf(body, sizeof body,
        "{\"error\":{\"message\":\"%s, refused on purpose\",\"type\":\"%s\",\"param\":null,\"code\":\"%s\"}}", code, code, code);
    put(c, head, snprintf(head, sizeof head,
        "HTTP/1.1 %d Refused\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n", status, len));
    put(c, body, len);
}

static int has_field(const char *body, const char *name, const char *value) {
    char tight[200], loose[200];
    snprintf(tight, sizeof tight, "\"%s\":%s", name, value);
    snprintf(loose, sizeof loose, "\"%s\": %s", name, value);
    return strstr(body, tight) || strstr(body, loose);
}

static void begin_stream(conn *c, int chunks, int interval_ms) {
    c->chunks = chunks < 1 ? 1 : chunks > CHUNKS_MAX ? CHUNKS_MAX : chunks;
    c->seq = 0;
    c->interval_ms = interval_ms;
    stats.open++;
    put(c, STREAM_HEAD, sizeof STREAM_HEAD - 1);
    if (!interval_ms) return put_burst(c);
    int64_t now = now_ns();
    put_chunk(c, now);
    c->due_ns = now + interval_ms * 1000000LL;
    if (c->seq < c->chunks && !c->is_queued) queue(c);
}

static void answer(conn *c, const char *head, const char *body) {
    char quoted[128], code[64] = "refused";
    int status, delay = 0, interval = 0, chunks = 1;
    if (!strncmp(head, "GET /stats", 10)) return answer_stats(c);
    stats.requests++;
    const char *messages = strstr(head, "/messages"), *line_end = strstr(head, "\r\n");
    c->wire = messages && messages < line_end ? ANTHROPIC : OPENAI;
    if (sscanf(head, "POST /refuse/%d/%63[a-z0-9_]/", &status, code) >= 1) {
        stats.refused++;
        return answer_error(c, status, code);
    }
    snprintf(quoted, sizeof quoted, "\"%s\"", model);
    if (!has_field(body, "model", quoted) || !strstr(head, key)) {
        stats.wrong++;
        return answer_error(c, 400, "not_rewritten");
    }
    const char *wish = strstr(body, "bench:delay=");
    if (wish) sscanf(wish, "bench:delay=%d,interval=%d,chunks=%d", &delay, &interval, &chunks);
    if (has_field(body, "stream", "true")) return begin_stream(c, chunks, interval);
    if (!delay) return put(c, json_answers[c->wire], json_lens[c->wire]);
    c->is_json_due = 1;
    c->due_ns = now_ns() + delay * 1000000LL;
    if (!c->is_queued) queue(c);
}

// 0 while the request is incomplete, else its length; the answer is then in the out buffer.
static size_t take_request(conn *c) {
    c->in[c->in_len] = 0;
    char *end = strstr(c->in, "\r\n\r\n");
    if (!end) return 0;
    char *length = strcasestr(c->in, "\r\ncontent-length:");
    size_t head_len = end + 4 - c->in, total = head_len + (length && length < end ? strtoul(length + 17, NULL, 10) : 0);
    if (c->in_len < total) return 0;
    char next = c->in[total];
    c->in[total] = 0;
    end[2] = 0; // the head ends before the body, so that a key in a body does not count
    answer(c, c->in, c->in + head_len);
    c->in[total] = next;
    return total;
}

static int flush(conn *c) {
    while (c->out_off < c->out_len) {
        ssize_t n = send(c->fd, c->out + c->out_off, c->out_len - c->out_off, MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN) {
            struct epoll_event e = {.events = EPOLLIN | EPOLLOUT, .data.ptr = c};
            return epoll_ctl(epoll_fd, EPOLL_CTL_MOD, c->fd, &e);
        }
        if (n < 0) return -1;
        c->out_off += n;
    }
    c->out_off = c->out_len = 0;
    return 0;
}

static void drop(conn *c) {
    int is_streaming = c->seq < c->chunks;
    if (is_streaming || c->is_json_due || c->out_off < c->out_len) {
        stats.gone++;
        stats.gone_ns = now_ns();
    }
    if (is_streaming) stats.open--;
    close(c->fd);
    free(c->in);
    free(c->out);
    c->is_dead = 1;
    if (!c->is_queued) free(c);
}

static int take_input(conn *c) {
    for (;;) {
        if (c->in_cap - c->in_len < 2048) c->in = realloc(c->in, c->in_cap *= 2);
        size_t room = c->in_cap - c->in_len - 1;
        ssize_t n = recv(c->fd, c->in + c->in_len, room, 0);
        if (n < 0 && errno == EAGAIN) break;
        if (n <= 0) return -1;
        c->in_len += n;
        if ((size_t)n < room) break;
    }
    size_t used;
    while (c->in_len && (used = take_request(c))) {
        c->in_len -= used;
        memmove(c->in, c->in + used, c->in_len);
    }
    return flush(c);
}

static void take_due(void) {
    uint64_t expired;
    if (read(timer_fd, &expired, sizeof expired) < 0 && errno != EAGAIN) exit(1);
    while (heap_len && heap[0]->due_ns <= now_ns()) {
        conn *c = unqueue();
        if (c->is_dead) {
            free(c);
            continue;
        }
        if (c->is_json_due) {
            c->is_json_due = 0;
            put(c, json_answers[c->wire], json_lens[c->wire]);
        } else if (c->seq < c->chunks) {
            put_chunk(c, now_ns());
            c->due_ns += c->interval_ms * 1000000LL;
            if (c->seq < c->chunks) queue(c);
        }
        if (flush(c) < 0) drop(c);
    }
    arm();
}

static void take_connections(int listener) {
    int fd, one = 1;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        conn *c = calloc(1, sizeof *c);
        c->fd = fd;
        c->in = malloc(c->in_cap = 4096);
        struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
        epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &e);
    }
}

static void take_event(conn *c, uint32_t events) {
    int failed = 0;
    if (events & EPOLLOUT) {
        struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
        epoll_ctl(epoll_fd, EPOLL_CTL_MOD, c->fd, &e);
        failed = flush(c) < 0;
    }
    if (!failed && events & (EPOLLIN | EPOLLHUP | EPOLLERR)) failed = take_input(c) < 0;
    if (failed) drop(c);
}

static void keep_json(enum wire wire, const char *body, int len) {
    json_lens[wire] = snprintf(json_answers[wire], sizeof json_answers[wire],
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-request-id: req_0123456789abcdef\r\n"
        "openai-processing-ms: 5\r\ncontent-length: %d\r\n\r\n%s", len, body);
}

static void make_json(void) {
    char text[800], body[3000];
    size_t at = 0;
    for (int i = 0; at < 560; i++) at += snprintf(text + at, sizeof text - at, "The %dth sentence of an answer. ", i);
    keep_json(OPENAI, body, snprintf(body, sizeof body,
        "{\"id\":\"chatcmpl-0123456789ab\",\"object\":\"chat.completion\",\"created\":1760000000,\"model\":\"%s\",\"choices\":"
        "[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"%s\",\"refusal\":null,\"annotations\":[]},"
        "\"logprobs\":null,\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":310,\"completion_tokens\":140,"
        "\"total_tokens\":450,\"prompt_tokens_details\":{\"cached_tokens\":0,\"audio_tokens\":0},"
        "\"completion_tokens_details\":{\"reasoning_tokens\":0,\"audio_tokens\":0}},\"service_tier\":\"default\","
        "\"system_fingerprint\":\"fp_0123456789\"}", model, text));
    keep_json(ANTHROPIC, body, snprintf(body, sizeof body,
        "{\"id\":\"msg_0123456789ab\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"%s\",\"content\":"
        "[{\"type\":\"text\",\"text\":\"%s\"}],\"stop_reason\":\"end_turn\",\"stop_sequence\":null,\"usage\":"
        "{\"input_tokens\":310,\"cache_creation_input_tokens\":0,\"cache_read_input_tokens\":0,\"output_tokens\":140}}",
        model, text));
}

static int listen_on(int port) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (bind(fd, (struct sockaddr *)&at, sizeof at) || listen(fd, 16384)) {
        perror("provider: listen");
        exit(1);
    }
    return fd;
}

int main(int argc, char **argv) {
    if (argc != 4) return fprintf(stderr, "usage: provider PORT MODEL KEY\n"), 2;
    prctl(PR_SET_PDEATHSIG, SIGKILL); // never outlives the bench that started it
    model = argv[2];
    key = argv[3];
    make_json();
    static char listener_mark, timer_mark;
    int listener = listen_on(atoi(argv[1]));
    epoll_fd = epoll_create1(0);
    timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = &listener_mark}, got[EVENTS_MAX];
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &e);
    e.data.ptr = &timer_mark;
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, timer_fd, &e);
    for (;;) {
        int n = epoll_wait(epoll_fd, got, EVENTS_MAX, -1), is_due = 0;
        conn *before = heap_len ? heap[0] : NULL;
        for (int i = 0; i < n; i++) {
            if (got[i].data.ptr == &listener_mark) take_connections(listener);
            else if (got[i].data.ptr == &timer_mark) is_due = 1;
            else take_event(got[i].data.ptr, got[i].events);
        }
        // Last, because it may drop connections that this batch of events still names.
        if (is_due) take_due();
        else if (heap_len && heap[0] != before) arm();
    }
}
