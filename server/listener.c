/* listener.c - where the server listens: a TCP port and a Unix socket.
 *
 * Both are safe by default: TCP on loopback only, unless --insecure says otherwise; a Unix
 * socket replaces a file only if that is a socket that nobody listens on. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "server/log.h"
#include "server/server.h"
#include "server/session.h"

#define BACKLOG 511

static void on_connection(struct server *server, struct listener *listener, int status,
                          bool is_tcp)
{
    static struct log_limit limit;
    server_turn_begin(server);
    if (status < 0)
        log_limited(&limit, LOG_LEVEL_WARN, "a client could not be accepted: %s",
                    uv_strerror(status));
    else
        session_accept(server, listener, is_tcp);
}

static void on_tcp_connection(uv_stream_t *stream, int status)
{
    struct server *server = stream->data;
    on_connection(server, &server->tcp, status, true);
}

static void on_local_connection(uv_stream_t *stream, int status)
{
    struct server *server = stream->data;
    on_connection(server, &server->local, status, false);
}

/* --- TCP ----------------------------------------------------------------------------------*/

static bool address_parse(const char *text, uint64_t port, struct sockaddr_storage *address)
{
    memset(address, 0, sizeof *address);
    return uv_ip4_addr(text, (int)port, (struct sockaddr_in *)address) == 0 ||
           uv_ip6_addr(text, (int)port, (struct sockaddr_in6 *)address) == 0;
}

static bool address_is_loopback(const struct sockaddr_storage *address)
{
    if (address->ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;
        return ntohl(v4->sin_addr.s_addr) >> 24 == 127;
    }
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;
    return IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr) ||
           (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr) && v6->sin6_addr.s6_addr[12] == 127);
}

/* "127.0.0.1:22476", "[::1]:22476": with the port that the system chose. */
static void tcp_name(struct server *server)
{
    struct sockaddr_storage address = {.ss_family = AF_INET};
    int length = sizeof address;
    char host[64] = "?";
    uv_tcp_getsockname(&server->tcp.tcp, (struct sockaddr *)&address, &length);
    if (address.ss_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&address;
        uv_ip6_name(v6, host, sizeof host);
        snprintf(server->tcp_name, sizeof server->tcp_name, "[%s]:%u", host,
                 ntohs(v6->sin6_port));
    } else {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)&address;
        uv_ip4_name(v4, host, sizeof host);
        snprintf(server->tcp_name, sizeof server->tcp_name, "%s:%u", host, ntohs(v4->sin_port));
    }
}

/* The address that the settings name, and that they may name. */
static int address_choose(const struct settings *settings, struct sockaddr_storage *address,
                          char *error, size_t size)
{
    if (!address_parse(settings->bind, settings->port, address)) {
        snprintf(error, size, "bind: \"%s\" is not an IP address, such as 127.0.0.1 or ::1",
                 settings->bind);
        return -EINVAL;
    }
    if (!address_is_loopback(address) && !settings->insecure) {
        snprintf(error, size,
                 "bind: %s can be reached from other machines, and this server asks nobody for a "
                 "password: whoever reaches it owns its data; say --insecure if the network is "
                 "yours alone, or bind 127.0.0.1",
                 settings->bind);
        return -EPERM;
    }
    return 0;
}

static int tcp_open(struct server *server, char *error, size_t size)
{
    const struct settings *settings = &server->settings;
    struct sockaddr_storage address;
    int result = address_choose(settings, &address, error, size);
    if (result != 0) return result;
    result = uv_tcp_init(&server->loop, &server->tcp.tcp);
    if (result == 0) {
        server->tcp.open = true;
        server->tcp.handle.data = server;
        result = uv_tcp_bind(&server->tcp.tcp, (struct sockaddr *)&address, 0);
    }
    if (result == 0) result = uv_listen(&server->tcp.stream, BACKLOG, on_tcp_connection);
    if (result != 0) {
        snprintf(error, size, "cannot listen on %s port %llu: %s", settings->bind,
                 (unsigned long long)settings->port, uv_strerror(result));
        return result;
    }
    tcp_name(server);
    server->addresses[server->address_count++] = server->tcp_name;
    log_info("listening on %s", server->tcp_name);
    if (!address_is_loopback(&address))
        log_warn("%s is open to the network, without a password", server->tcp_name);
    return 0;
}

/* --- the Unix socket -----------------------------------------------------------------------*/

/* Makes way at `path`: 0 if nothing is there now, else negative with a sentence. */
static int stale_socket_remove(const char *path, char *error, size_t size)
{
    struct stat info;
    if (lstat(path, &info) != 0) return 0;
    if (!S_ISSOCK(info.st_mode)) {
        snprintf(error, size, "unix: %s exists and is not a socket", path);
        return -EEXIST;
    }
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return 0; /* binding will say what is wrong */
    bool refused = connect(fd, (struct sockaddr *)&address, sizeof address) != 0 &&
                   errno == ECONNREFUSED;
    close(fd);
    if (!refused) {
        snprintf(error, size, "cannot listen on %s: somebody else does", path);
        return -EADDRINUSE;
    }
    if (unlink(path) == 0) {
        log_info("%s was left behind by a server that is gone; replaced", path);
        return 0;
    }
    int result = -errno;
    snprintf(error, size, "unix: %s cannot be replaced: %s", path, strerror(-result));
    return result;
}

static int local_open(struct server *server, char *error, size_t size)
{
    const char *path = server->settings.unix_path;
    int result = stale_socket_remove(path, error, size);
    if (result != 0) return result;
    result = uv_pipe_init(&server->loop, &server->local.pipe, 0);
    if (result == 0) {
        server->local.open = true;
        server->local.handle.data = server;
        result = uv_pipe_bind(&server->local.pipe, path);
    }
    if (result == 0) result = uv_listen(&server->local.stream, BACKLOG, on_local_connection);
    if (result != 0) {
        snprintf(error, size, "cannot listen on %s: %s", path, uv_strerror(result));
        return result;
    }
    server->addresses[server->address_count++] = path;
    log_info("listening on %s", path);
    return 0;
}

/* --- both ----------------------------------------------------------------------------------*/

int listeners_check(const struct settings *settings, char *error, size_t error_size)
{
    struct sockaddr_storage address;
    if (strcmp(settings->bind, "none") == 0) return 0;
    return address_choose(settings, &address, error, error_size);
}

int listeners_open(struct server *server, char *error, size_t error_size)
{
    int result = 0;
    if (strcmp(server->settings.bind, "none") != 0) result = tcp_open(server, error, error_size);
    if (result == 0 && *server->settings.unix_path) result = local_open(server, error, error_size);
    return result;
}

static void listener_close(struct listener *listener)
{
    if (!listener->open) return;
    listener->open = false;
    listener->waiting = false;
    uv_close(&listener->handle, NULL); /* removes the file of a Unix socket, too */
}

void listeners_close(struct server *server)
{
    listener_close(&server->tcp);
    listener_close(&server->local);
    server->address_count = 0;
}

void listeners_retry(struct server *server)
{
    if (server->tcp.waiting) session_accept(server, &server->tcp, true);
    if (server->local.waiting) session_accept(server, &server->local, false);
}
