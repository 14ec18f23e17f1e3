"""The fifty lines in Chinese, the language of the notes: a title, and what the notes say.

What stands behind the first ``|`` is the notes' own wording, letter by letter; a line break of
theirs is a blank here, and ``…`` stands for lines between. The titles and the sections' names are
ours, as they are in English.
"""

from typing import Final

TEXT: Final = """
接收缓冲区
N01 一直不读取：包会被丢弃吗？
    | TCP 不断接收包，但是一直不读取， 这些包满了后会被丢弃吗？
N02 对端缓冲区已满，write 会出错吗？
    | write的时候会因为read buf已满出错吗？

TCP 连接关闭情况
N03 正常关闭：会发送 FIN 吗？
    | 1.正常关闭 A: close. 给B发送 FIN包
N04 read 返回 0：A 还能接收吗？
    | B: 调用read 返回0. 表示A：已经关闭（不能在发送数据了)但是还可以接受数据
N05 不调用 read 能知道 FIN 吗？
    | Qus. 如果B不掉用 read可以知道A：发送的FIN吗？
N06 程序崩溃：另一端会立即知道吗？
    | 2.程序崩溃。 另一端不会立即知道，除非调用write，或使用心跳SO_KEEPALIVE
N07 进程崩溃：会发出 FIN 吗？
    | A：Qus. 会发出FIN吗？, 不会
N08 进程崩溃：read 返回什么？
    | B： 调用read的返回是什么？会指定A已经崩溃了吗? 不会阻塞，或timeout
N09 进程崩溃：write 会怎样？
    | C:  调用write回阻塞直到timeout或ICMP返回不可达?? 收到RST
N10 断电、网线断掉：和崩溃一样吗？
    | 3. A突然断电，网线断掉： 和2的情况相同
N11 崩溃并重启：另一端会知道吗？
    | 4.崩溃并重启 另一端是否知道？ 如果在崩溃时不主动发送消息，则不知道server是否已经崩溃
N12 server 重启后调用 read
    | A:调用read时server以重启: 阻塞，或timeout
N13 server 重启后调用 write
    | B:调用write时server以重启: 会收到RST分节,到时write 返回 ECONNRESET 错误

调用
N14 socket 调用可重入吗？
    | Socket API 注意是不是可重入的
N15 connect 什么时候返回？
    | |connect| 调用发起3次握手，知道连接建立或者失败才返回 收到第二分解 peer SYN(ACK)包. 返回
N16 connect 失败后套接字还能用吗？
    | 如果connect 失败则socket 不可再用。必须关闭. TCP 因为connect failed 后 socket的状态为定义
N17 connect：没有回应
    | 1. 对方没有开机: 对方太忙， 始终没有收到对方的ACK，则返回ETIMEDOUT
N18 connect：端口没有进程监听
    | 2. Peer 对应服务没有启动。 连接端口没有监听进程 Peer 回复 RST connect 返回 ECONNREFUSED
N19 connect：路由不可达
    | 3. 路由不可达
N20 不 bind，地址和端口由谁选？
    | |bind| 绑定socket到一个协议地址 如果不帮定。那么在connect 或 listen 时，内核就要为socket
    选择一个临时*port* *IP* 对于client bind无所谓。但是对用 server 通常都需要一个固定的port
N21 bind 不属于本机接口的地址
    | IPaddrs: 进程绑定的ip地址必须是进程所在主机的一个接口
N22 绑定的地址限制什么？
    | 绑定IP后, 进程所有发送的包的源地址IP就是绑定的IP. 进程只能接受目的地址是绑定IP的包
N23 server 不绑定地址：用哪个地址？
    | 如果TCP server不绑定IP，则Server的IP会是 client SYN包的目的IP
N24 INADDR_ANY：何时确定？
    | IP: 统配地址 ipv4 INADDR_ANY, 内核指定, 何时指定？
N25 in6addr_any 与双栈套接字
    | ipv6 in6addr_any. 通配符不同的原因: INADDR_ANY 通常是0.可以使用一个数字表示
    ipV6 地址是个结构，不能使用0来表示
N26 端口 0 与通配地址
    | port： 0, 内核指定 目的IP 和 到达接口
N27 一个主机有多个 IP 地址
    | 如何一个主机有多个IP地址。情况是什么?
N28 getsockname 与 getpeername
    | 得到connect后内核分配的地址 getsockname  //通常client调用，得到自己的
    getpeerkname //通常server调用，得到client的
N29 listen：从主动到被动
    | |listen| 做两件事 1.把socket从主动接口，设置为别动接口.
    socket默认返回一个主动接口(调用connect) 指示内核因该接受指向此接口的连接请求.
    TCP 状态从 CLOSED 到 LISTEN
N30 listen：队列最长多少？
    | 2.设置请求队列大小 Qus. 当前的最大值为多少
N31 accept：返回的套接字地址有何不同？
    | |accept| Qus. 返回的socket的源地址和目的地址于listen的有何不同
N32 收到 FIN 之后写
    | EPIPE: 写一个已经收到FIN包的接口是ok的。
N33 收到 RST 之后写
    | 但是写一个已经收到RST的接口就引发SIGPIPE

名字
N34 gethostbyname：可重入吗？
    | ip<->name |gethostbyname| |gethostbyaddr| 不可重入 … 使用2_r version
N35 名字查询：resolv.conf 与 UDP
    | 使用这些函数主机要联网 … 通过 /etc/resolv.conf 文件来查询 如果查询不到，则通过UDP相服务器查询
N36 名字查询：/etc/hosts
    | 不通过DNS，也可在 /etc/hosts(静态主机文件)中查找
N37 gethostname
    | |gethostname| return same as hostname(1) 不可重入
N38 getaddrinfo
    | |getaddrinfo| 比gethostbyname 更高级的函数 屏蔽了相关协议， |freeaddrinfo| 不可重入
N39 getservbyname：哪个文件？
    | port<->service-name |getservbyname| |gettservbport| 通过 /etc/service 文件查询
N40 getprotobynumber
    | |getprotobynumber|

选项
N41 SO_KEEPALIVE：何时报告什么？
    | 1. SO_KEEPALIVE 保活心跳
N42 SO_RCVBUF、SO_SNDBUF：何时设置？
    | 2. SO_RCVBUF, SO_SNDBUF 接收发送缓存大小，tcp窗口的小 必须在connect bind前调用
N43 Linux 的默认缓冲区大小
    | linux  SO_RCVBUF=87380, SO_SNDBUF=16384
N44 SO_RCVTIMEO、SO_SNDTIMEO
    | 3. SO_RCVTIMEO SO_SNDTIMEO 接收发送超时设置. default is 0
N45 SO_REUSEADDR 与 TIME_WAIT
    | 4. SO_REUSEADDR SO_REUSEPORT bind 之前设置 允许重用地址， 在time_wait 状态下的地址是否可以重用
    一般用于重启后马上要重新绑定到原来地址的 try?
N46 TCP_NODELAY：小包体验更好吗？
    | 5. TCP_NODELAY 禁止Nagle算法 不会把小包拼接成大包后在发送，会使得小包用户的体验增强
N47 TCP_DEFER_ACCEPT
    | 6. TCP_DEFER_ACCEPT 当连接请求由数据到达是在返回。 用于拒绝接收只建立连接不发送数据的请求。
N48 SO_LINGER 关闭：close 会怎样？
    | 改变 close 的默认动作，通常close立即返回。如果close时还有没有发出的msg 系统将试着把这些msg发出
    … l_onoff = 0 等于没有设置,close 默认动作
N49 SO_LINGER 打开，0 与大于 0
    | l_onoff != 0 ??? linux
N50 linger 能区分正常关闭吗？
    | 7. SO_LINGER 用于区分，正常关闭和异常关闭
"""
