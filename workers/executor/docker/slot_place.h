#pragma once
/*
 * slot_place - where a connection comes from or leads to: a TCP port of
 * 127.0.0.1, or a unix socket
 */
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "proto/loop.h"
#include "proto/str.h"

struct place {
	union {
		struct sockaddr any;
		struct sockaddr_in tcp;
		struct sockaddr_un local;
	} address;
	socklen_t size;
};

static inline struct place
place_of_port(int port)
{
	return (struct place){
		.address.tcp = { .sin_family = AF_INET,
				 .sin_port = htons((uint16_t)port),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) },
		.size = sizeof(struct sockaddr_in),
	};
}

/* The path must be of at most MAX_SOCKET_PATH_BYTES. */
static inline struct place
place_of_path(struct str path)
{
	struct place p = { .address.local.sun_family = AF_UNIX,
			   .size = sizeof(struct sockaddr_un) };

	str_keep(p.address.local.sun_path, sizeof p.address.local.sun_path,
		 path);
	return p;
}

/* A socket that begins to connect with it; -1, and errno, if it can't. */
int place_connect(const struct place *);

/* Has the connection that was begun come about? */
bool place_has_connected(int fd);
