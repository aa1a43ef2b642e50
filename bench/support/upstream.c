/* The upstream of a bench: one thread, one fixed answer, or with "stream":true in the body as many
 * events as its max_tokens, one write each, `intervalMs=` apart, each with the time of its writing.
 * It must never be the bottleneck. Prints its port; ends with SIGTERM or with its parent. */
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
#include <time.h>
#include <unistd.h>

#define HEAD_LOOK 16384

struct conn {
  int fd, streaming, chunked;
  size_t length, room, head, body;
  long events_left, events;
  uint64_t due;
  char *in;
  struct conn *later;
};

static int poll_fd;
static uint64_t interval_us = 20000;
static struct conn *first_due, *last_due;
static char event_chunk[512];
static size_t event_length, stamp_at;

/* As OpenAI sends them: the same but for the text and the padding, in which the time stands. */
static const char EVENT[] =
    "data: {\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion.chunk\",\"created\":1,"
    "\"model\":\"echo\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\" word\"},"
    "\"finish_reason\":null}],\"obfuscation\":\"t=0000000000000000\"}\n\n";
static const char STREAM_HEAD[] =
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";

static uint64_t now_us(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void put(struct conn *conn, const char *bytes, size_t length) {
  /* Answers are far smaller than a socket's buffer; a reader that stands still loses its stream. */
  ssize_t n = send(conn->fd, bytes, length, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (n != (ssize_t)length) shutdown(conn->fd, SHUT_RDWR);
}

static void wait_turn(struct conn *conn, uint64_t due) {
  conn->due = due;
  conn->later = NULL;
  if (last_due) last_due->later = conn;
  else first_due = conn;
  last_due = conn;
}

static void put_end(struct conn *conn) {
  char body[768], out[1024];
  int length = snprintf(
      body, sizeof body,
      "data: {\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion.chunk\",\"created\":1,"
      "\"model\":\"echo\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
      "data: {\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion.chunk\",\"created\":1,"
      "\"model\":\"echo\",\"choices\":[],\"usage\":{\"prompt_tokens\":%zu,"
      "\"completion_tokens\":%ld,\"total_tokens\":%zu}}\n\ndata: [DONE]\n\n",
      conn->body / 4 + 1, conn->events, conn->body / 4 + 1 + (size_t)conn->events);
  length = snprintf(out, sizeof out, "%x\r\n%s\r\n0\r\n\r\n", length, body);
  put(conn, out, (size_t)length);
  conn->streaming = 0;
}

static void put_event(struct conn *conn, uint64_t now, int with_head) {
  char digits[17], out[1024];
  snprintf(digits, sizeof digits, "%016llu", (unsigned long long)now);
  memcpy(event_chunk + stamp_at, digits, 16);
  if (with_head) {
    memcpy(out, STREAM_HEAD, sizeof STREAM_HEAD - 1);
    memcpy(out + sizeof STREAM_HEAD - 1, event_chunk, event_length);
    put(conn, out, sizeof STREAM_HEAD - 1 + event_length);
  } else put(conn, event_chunk, event_length);
  conn->events_left--;
  wait_turn(conn, now + interval_us);
}

static void answer(struct conn *conn, const char *body, size_t length) {
  conn->body = length;
  if (memmem(body, length, "\"stream\":true", 13)) {
    const char *most = memmem(body, length, "\"max_tokens\":", 13);
    conn->events = conn->events_left = most ? atol(most + 13) : 16;
    conn->streaming = 1;
    return put_event(conn, now_us(), 1);
  }
  char text[1024], out[2048], content[561];
  memset(content, 'x', 560);
  content[560] = 0;
  int size = snprintf(
      text, sizeof text,
      "{\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion\",\"created\":1,\"model\":\"echo\","
      "\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"%s\"},"
      "\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":%zu,\"completion_tokens\":140,"
      "\"total_tokens\":%zu}}",
      content, length / 4 + 1, length / 4 + 141);
  size = snprintf(out, sizeof out,
                  "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s",
                  size, text);
  put(conn, out, (size_t)size);
}

/* Answers every whole request that has arrived. */
static void requests(struct conn *conn) {
  while (conn->length && !conn->streaming) {
    if (!conn->head) {
      char *end = memmem(conn->in, conn->length, "\r\n\r\n", 4);
      if (!end) return;
      conn->head = (size_t)(end - conn->in) + 4;
      char *found = NULL;
      char kept = conn->in[conn->head - 1];
      conn->in[conn->head - 1] = 0;
      found = strcasestr(conn->in, "\r\ncontent-length:");
      conn->chunked = !found && strcasestr(conn->in, "\r\ntransfer-encoding: chunked") != NULL;
      conn->body = found ? (size_t)atoll(found + 17) : 0;
      conn->in[conn->head - 1] = kept;
    }
    if (conn->chunked) {
      if (conn->length < conn->head + 5 || memcmp(conn->in + conn->length - 5, "0\r\n\r\n", 5)) return;
      conn->body = conn->length - conn->head;
    }
    if (conn->length < conn->head + conn->body) return;
    size_t whole = conn->head + conn->body;
    answer(conn, conn->in + conn->head, conn->body);
    memmove(conn->in, conn->in + whole, conn->length - whole);
    conn->length -= whole;
    conn->head = 0;
    /* A large request's room is not kept for a stream's whole life. */
    if (conn->length == 0 && conn->room > HEAD_LOOK) {
      free(conn->in);
      conn->in = NULL;
      conn->room = 0;
    }
  }
}

static void ended(struct conn *conn) {
  close(conn->fd);
  conn->fd = -1;
  free(conn->in);
  conn->in = NULL;
  /* One that waits for its turn is freed there. */
  if (!conn->streaming) free(conn);
}

static void arrived(struct conn *conn) {
  if (conn->fd < 0) return;
  if (conn->room - conn->length < 2048) {
    conn->room = conn->room ? conn->room * 4 : 4096;
    conn->in = realloc(conn->in, conn->room);
    if (!conn->in) exit(1);
  }
  ssize_t n = read(conn->fd, conn->in + conn->length, conn->room - conn->length);
  if (n < 0 && errno == EAGAIN) return;
  if (n <= 0) return ended(conn);
  conn->length += (size_t)n;
  requests(conn);
}

static int pace(void) {
  uint64_t now = now_us();
  while (first_due && first_due->due <= now) {
    struct conn *conn = first_due;
    first_due = conn->later;
    if (!first_due) last_due = NULL;
    if (conn->fd < 0) free(conn);
    else if (conn->events_left > 0) put_event(conn, now, 0);
    else {
      put_end(conn);
      requests(conn);
    }
    now = now_us();
  }
  return first_due ? (int)((first_due->due - now) / 1000) + 1 : 1000;
}

static int listen_somewhere(void) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof own;
  if (bind(fd, (struct sockaddr *)&own, sizeof own) || listen(fd, 4096)) exit(1);
  getsockname(fd, (struct sockaddr *)&own, &size);
  printf("%d\n", ntohs(own.sin_port));
  fflush(stdout);
  return fd;
}

static void accept_all(int listener) {
  int on = 1, fd;
  while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct conn *conn = calloc(1, sizeof *conn);
    conn->fd = fd;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = conn};
    epoll_ctl(poll_fd, EPOLL_CTL_ADD, fd, &event);
  }
}

int main(int count, char **values) {
  for (int i = 1; i < count; i++) {
    if (!strncmp(values[i], "intervalMs=", 11)) interval_us = (uint64_t)(atof(values[i] + 11) * 1000);
  }
  event_length = (size_t)snprintf(event_chunk, sizeof event_chunk, "%zx\r\n%s\r\n", sizeof EVENT - 1, EVENT);
  stamp_at = (size_t)(strstr(event_chunk, "t=0000") - event_chunk) + 2;
  prctl(PR_SET_TIMERSLACK, 1);
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  poll_fd = epoll_create1(0);
  int listener = listen_somewhere();
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
  epoll_ctl(poll_fd, EPOLL_CTL_ADD, listener, &event);
  for (;;) {
    struct epoll_event events[512];
    int ready = epoll_wait(poll_fd, events, 512, pace());
    for (int i = 0; i < ready; i++) {
      if (events[i].data.ptr) arrived(events[i].data.ptr);
      else accept_all(listener);
    }
  }
}
