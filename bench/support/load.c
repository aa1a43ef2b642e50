/* The load of a bench: N connections on one thread, closed-loop (the next request when the answer
 * is whole) or open-loop (`rate=`: a fixed arrival rate, latency counted from the moment at which
 * the request was meant to be sent). Streams are read as they come: an event that carries "t=" and
 * 16 digits, the upstream's own monotonic microseconds, tells how long it was under way.
 * Arguments: key=value. A run of 16 tildes in the request becomes a number that was never sent
 * before; with `opening=` no more streams than that wait to begin; events of the first `warm=` seconds are not counted. At the end one JSON; SIGTERM ends it early. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define HEAD_MAX 8192
#define STAMP_DIGITS 16
#define GRACE_US 10000000
#define MARKS_MAX 4096

enum state { CLOSED, CONNECTING, IDLE, SENDING, HEAD, LENGTH, CHUNK_SIZE, CHUNK, CHUNK_END, UNTIL_CLOSE };

struct conn {
  int fd;
  enum state state;
  int wants_out, status, matched, seen;
  uint64_t intended, started, stamp;
  size_t sent, head_length;
  int64_t left;
  char *request, *head;
};

struct list {
  uint32_t *at;
  size_t count, room;
};

static int port, connections = 1, wanted_status = 200, sources = 1, opening;
static double seconds = 1, rate, open_rate, warm;
static size_t tell_at;
static char *request_bytes;
static size_t request_length, marks[MARKS_MAX], marks_count;

static struct conn *conns;
static int *idle, idle_count, poll_fd, timer_fd, in_flight;
static struct list latencies, lates, firsts, delays;
static uint64_t begin_us, end_us, count_us, next_request, completed, completed_late, failures, streaming, unique;
static int64_t counted_events;
static volatile sig_atomic_t stopped;

static uint64_t now_us(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void die(const char *what) {
  perror(what);
  exit(1);
}

static void add(struct list *list, uint64_t value) {
  if (list->count == list->room) {
    list->room = list->room ? list->room * 2 : 65536;
    list->at = realloc(list->at, list->room * sizeof *list->at);
    if (!list->at) die("memory");
  }
  list->at[list->count++] = value > UINT32_MAX ? UINT32_MAX : (uint32_t)value;
}

static void failed(struct conn *conn, const char *why) {
  if (failures++ < 3) fprintf(stderr, "load: a request failed: %s (status %d)\n", why, conn->status);
}

static void watch(struct conn *conn, int out) {
  if (conn->wants_out == out) return;
  struct epoll_event event = {.events = EPOLLIN | (out ? EPOLLOUT : 0), .data.ptr = conn};
  epoll_ctl(poll_fd, EPOLL_CTL_MOD, conn->fd, &event);
  conn->wants_out = out;
}

static void drop(struct conn *conn) {
  if (conn->state != CLOSED) close(conn->fd);
  conn->state = CLOSED;
}

static void dial(struct conn *conn) {
  int on = 1;
  conn->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (conn->fd < 0) die("socket");
  setsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (sources > 1) {
    struct sockaddr_in from = {.sin_family = AF_INET};
    from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + (uint32_t)((conn - conns) % sources));
    setsockopt(conn->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    if (bind(conn->fd, (struct sockaddr *)&from, sizeof from)) die("bind");
  }
  if (connect(conn->fd, (struct sockaddr *)&to, sizeof to) && errno != EINPROGRESS) die("connect");
  struct epoll_event event = {.events = EPOLLIN | EPOLLOUT, .data.ptr = conn};
  epoll_ctl(poll_fd, EPOLL_CTL_ADD, conn->fd, &event);
  conn->wants_out = 1;
  conn->state = CONNECTING;
}

static void send_on(struct conn *conn) {
  while (conn->sent < request_length) {
    ssize_t n = send(conn->fd, conn->request + conn->sent, request_length - conn->sent, MSG_NOSIGNAL);
    if (n < 0 && errno == EAGAIN) return watch(conn, 1);
    if (n < 0) return; /* its end is told by the next read */
    conn->sent += (size_t)n;
  }
  watch(conn, 0);
  conn->state = HEAD;
}

static void start(struct conn *conn, uint64_t intended) {
  for (size_t i = 0; i < marks_count; i++) {
    char digits[STAMP_DIGITS + 1];
    snprintf(digits, sizeof digits, "%016llu", (unsigned long long)++unique);
    memcpy(conn->request + marks[i], digits, STAMP_DIGITS);
  }
  conn->intended = intended;
  conn->started = now_us();
  add(&lates, conn->started - intended);
  conn->sent = conn->head_length = 0;
  conn->status = conn->matched = conn->seen = 0;
  conn->state = SENDING;
  in_flight++;
  send_on(conn);
}

/* What a free connection does next: at once, or when the next request is due. */
static void next(struct conn *conn) {
  uint64_t now = now_us();
  if (stopped || now >= end_us) {
    conn->state = IDLE;
    return;
  }
  if (rate <= 0) return start(conn, now);
  uint64_t due = begin_us + (uint64_t)((double)next_request * 1e6 / rate);
  if (begin_us && due <= now && due < end_us) {
    next_request++;
    return start(conn, due);
  }
  conn->state = IDLE;
  idle[idle_count++] = (int)(conn - conns);
}

static void done(struct conn *conn) {
  uint64_t now = now_us();
  in_flight--;
  if (conn->seen) streaming--;
  if (conn->status != wanted_status) failed(conn, "another status");
  else if (now > end_us) completed_late++;
  else completed++;
  if (conn->status == wanted_status) add(&latencies, now - conn->intended);
  conn->state = IDLE;
  next(conn);
}

static void event_seen(struct conn *conn, uint64_t now) {
  if (now >= count_us) {
    add(&delays, now > conn->stamp ? now - conn->stamp : 0);
    counted_events++;
  }
  if (conn->seen) return;
  conn->seen = 1;
  add(&firsts, now - conn->intended);
  if (++streaming == tell_at) {
    printf("streaming %zu\n", tell_at);
    fflush(stdout);
  }
}

/* Looks for `"t=` and 16 digits, wherever reads may have cut it. */
static void scan(struct conn *conn, const char *at, size_t length, uint64_t now) {
  const char *end = at + length;
  while (at < end) {
    if (conn->matched == 0) {
      at = memchr(at, 't', (size_t)(end - at));
      if (!at) return;
      conn->matched = 1;
      at++;
      continue;
    }
    char c = *at++;
    if (conn->matched == 1) conn->matched = c == '=' ? 2 : c == 't' ? 1 : 0, conn->stamp = 0;
    else if (c >= '0' && c <= '9') {
      conn->stamp = conn->stamp * 10 + (uint64_t)(c - '0');
      if (++conn->matched == 2 + STAMP_DIGITS) event_seen(conn, now), conn->matched = 0;
    } else conn->matched = c == 't' ? 1 : 0;
  }
}

static int head_read(struct conn *conn) {
  char *length;
  conn->head[conn->head_length] = 0;
  conn->status = atoi(conn->head + 9);
  if ((length = strcasestr(conn->head, "\r\ncontent-length:"))) {
    conn->left = atoll(length + 17);
    conn->state = LENGTH;
  } else if (strcasestr(conn->head, "\r\ntransfer-encoding: chunked")) {
    conn->left = 0;
    conn->state = CHUNK_SIZE;
  } else conn->state = UNTIL_CLOSE;
  return conn->state == LENGTH && conn->left == 0;
}

static void take(struct conn *conn, const char *at, size_t length, uint64_t now) {
  const char *end = at + length;
  while (at < end) {
    size_t part = (size_t)(end - at);
    switch (conn->state) {
      case HEAD:
        conn->head[conn->head_length++] = *at++;
        if (conn->head_length == HEAD_MAX - 1) return failed(conn, "a head too long"), drop(conn);
        if (conn->head_length > 3 && !memcmp(conn->head + conn->head_length - 4, "\r\n\r\n", 4)) {
          if (head_read(conn)) return done(conn);
        }
        break;
      case LENGTH:
        if ((int64_t)part > conn->left) part = (size_t)conn->left;
        scan(conn, at, part, now);
        at += part;
        conn->left -= (int64_t)part;
        if (conn->left == 0) return done(conn);
        break;
      case CHUNK_SIZE:
        if (*at == '\n') conn->state = conn->left ? CHUNK : CHUNK_END;
        else if (*at != '\r') {
          int digit = *at <= '9' ? *at - '0' : (*at | 32) - 'a' + 10;
          conn->left = conn->left * 16 + digit;
        }
        at++;
        break;
      case CHUNK:
        if ((int64_t)part > conn->left) part = (size_t)conn->left;
        scan(conn, at, part, now);
        at += part;
        conn->left -= (int64_t)part;
        if (conn->left == 0) conn->state = CHUNK_END, conn->left = 1;
        break;
      case CHUNK_END:
        if (*at++ != '\n') break;
        if (conn->left == 0) return done(conn);
        conn->left = 0;
        conn->state = CHUNK_SIZE;
        break;
      case UNTIL_CLOSE:
        scan(conn, at, part, now);
        return;
      default:
        return;
    }
  }
}

static void ended(struct conn *conn) {
  int busy = conn->state >= SENDING;
  int whole = conn->state == UNTIL_CLOSE;
  if (conn->state == CONNECTING) failures++;
  drop(conn);
  if (busy) {
    in_flight--;
    if (conn->seen) streaming--;
    if (whole && conn->status == wanted_status) completed++, add(&latencies, now_us() - conn->intended);
    else if (now_us() < end_us) failed(conn, "the connection ended early");
  }
  if (!stopped && now_us() < end_us) dial(conn);
}

static void turn(struct conn *conn, uint32_t events) {
  static char bytes[1 << 18];
  if (conn->state == CLOSED) return;
  if (conn->state == CONNECTING && events & EPOLLOUT) {
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(conn->fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error) {
      if (failures++ < 3) fprintf(stderr, "load: connect: %s\n", strerror(error));
      return drop(conn);
    }
    watch(conn, 0);
    return next(conn);
  }
  if (conn->state == SENDING && events & EPOLLOUT) send_on(conn);
  if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR))) return;
  ssize_t n = read(conn->fd, bytes, sizeof bytes);
  if (n < 0 && errno == EAGAIN) return;
  if (n <= 0) return ended(conn);
  /* An answer may come before the request is sent whole: a refusal. */
  if (conn->state == SENDING) conn->state = HEAD;
  take(conn, bytes, (size_t)n, now_us());
}

static void set_timer(uint64_t at_us) {
  struct itimerspec when = {.it_value = {(time_t)(at_us / 1000000), (long)(at_us % 1000000) * 1000}};
  timerfd_settime(timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
}

static int by_size(const void *a, const void *b) {
  uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
  return left < right ? -1 : left > right;
}

static uint32_t at(struct list *list, double share) {
  if (!list->count) return 0;
  size_t index = (size_t)((double)list->count * share);
  return list->at[index < list->count ? index : list->count - 1];
}

static void print_list(const char *name, struct list *list) {
  if (list->count) qsort(list->at, list->count, sizeof *list->at, by_size);
  printf("\"%sP50Us\":%u,\"%sP99Us\":%u,\"%sMostUs\":%u,", name, at(list, 0.5), name,
         at(list, 0.99), name, at(list, 1));
}

static void read_request(const char *path) {
  FILE *file = fopen(path, "rb");
  if (!file) die(path);
  fseek(file, 0, SEEK_END);
  request_length = (size_t)ftell(file);
  rewind(file);
  request_bytes = malloc(request_length + 1);
  if (fread(request_bytes, 1, request_length, file) != request_length) die(path);
  fclose(file);
  request_bytes[request_length] = 0;
  for (char *mark = request_bytes; (mark = strstr(mark, "~~~~~~~~~~~~~~~~")); mark += STAMP_DIGITS) {
    if (marks_count < MARKS_MAX) marks[marks_count++] = (size_t)(mark - request_bytes);
  }
}

static void read_arguments(int count, char **values) {
  for (int i = 1; i < count; i++) {
    char *value = strchr(values[i], '=');
    if (!value) continue;
    *value++ = 0;
    if (!strcmp(values[i], "port")) port = atoi(value);
    if (!strcmp(values[i], "connections")) connections = atoi(value);
    if (!strcmp(values[i], "seconds")) seconds = atof(value);
    if (!strcmp(values[i], "rate")) rate = atof(value);
    if (!strcmp(values[i], "openRate")) open_rate = atof(value);
    if (!strcmp(values[i], "warm")) warm = atof(value);
    if (!strcmp(values[i], "opening")) opening = atoi(value);
    if (!strcmp(values[i], "status")) wanted_status = atoi(value);
    if (!strcmp(values[i], "sources")) sources = atoi(value);
    if (!strcmp(values[i], "tell")) tell_at = (size_t)atoll(value);
    if (!strcmp(values[i], "request")) read_request(value);
  }
  if (!port || !request_bytes) {
    fprintf(stderr, "load: port= and request= are needed\n");
    exit(2);
  }
}

static void stop(int signal) {
  (void)signal;
  stopped = 1;
}

static void open_connections(void) {
  conns = calloc((size_t)connections, sizeof *conns);
  idle = calloc((size_t)connections, sizeof *idle);
  char *heads = malloc((size_t)connections * HEAD_MAX);
  for (int i = 0; i < connections; i++) {
    conns[i].head = heads + (size_t)i * HEAD_MAX;
    conns[i].request = request_bytes;
    /* Only where something is written into it does each need one of its own. */
    if (marks_count) {
      conns[i].request = malloc(request_length);
      memcpy(conns[i].request, request_bytes, request_length);
    }
  }
}

static void run(void) {
  int dialled = 0;
  uint64_t started = now_us();
  unique = started * 1000;
  end_us = started + (uint64_t)(seconds * 1e6);
  count_us = started + (uint64_t)(warm * 1e6);
  if (rate <= 0) begin_us = started;
  for (;;) {
    uint64_t now = now_us();
    uint64_t due = now + 100000;
    while (dialled < connections && now < end_us) {
      if (opening && dialled - (int)streaming >= opening) break;
      uint64_t at_us = started + (open_rate > 0 ? (uint64_t)(dialled * 1e6 / open_rate) : 0);
      if (at_us > now) {
        due = at_us;
        break;
      }
      dial(&conns[dialled++]);
    }
    if (rate > 0 && !begin_us && idle_count == connections) {
      begin_us = now;
      end_us = now + (uint64_t)(seconds * 1e6);
    }
    while (rate > 0 && begin_us && idle_count > 0 && !stopped) {
      uint64_t next_due = begin_us + (uint64_t)((double)next_request * 1e6 / rate);
      if (next_due >= end_us) break;
      if (next_due > now) {
        if (next_due < due) due = next_due;
        break;
      }
      next_request++;
      start(&conns[idle[--idle_count]], next_due);
    }
    if (end_us > now && end_us < due) due = end_us;
    if (stopped) break;
    /* Streams are cut at the end; what is short may end by itself. */
    if (now >= end_us && (in_flight == 0 || streaming > 0 || now > end_us + GRACE_US)) break;
    set_timer(due);
    struct epoll_event events[512];
    int count = epoll_wait(poll_fd, events, 512, 1000);
    for (int i = 0; i < count; i++) {
      if (events[i].data.ptr) turn(events[i].data.ptr, events[i].events);
      else {
        uint64_t times;
        if (read(timer_fd, &times, sizeof times) < 0 && errno != EAGAIN) die("timer");
      }
    }
  }
}

int main(int count, char **values) {
  read_arguments(count, values);
  prctl(PR_SET_TIMERSLACK, 1);
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  signal(SIGTERM, stop);
  signal(SIGINT, stop);
  poll_fd = epoll_create1(0);
  timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
  epoll_ctl(poll_fd, EPOLL_CTL_ADD, timer_fd, &event);
  open_connections();
  run();
  uint64_t until = now_us() < end_us ? now_us() : end_us;
  double elapsed = (double)(until - begin_us) / 1e6;
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  double cpu = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 +
               (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
  /* What never came back within the grace has failed, unless it is a stream that was cut. */
  if (!streaming && !stopped) failures += (uint64_t)in_flight;
  printf("{\"requests\":%llu,\"failures\":%llu,\"perSecond\":%.3f,", (unsigned long long)(completed + completed_late),
         (unsigned long long)failures, (double)completed / elapsed);
  print_list("latency", &latencies);
  print_list("late", &lates);
  print_list("first", &firsts);
  print_list("delay", &delays);
  printf("\"streams\":%zu,\"chunks\":%lld,\"chunksPerSecond\":%.1f,\"cpuUs\":%.0f,\"seconds\":%.3f}\n", firsts.count,
         (long long)counted_events, (double)counted_events / (elapsed - warm), cpu, elapsed);
  return 0;
}
