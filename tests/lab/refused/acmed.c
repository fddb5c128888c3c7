/* A program that breaks in the way its first word says: crashes of each sort, and memory that is touched to be used. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <signal.h>
#include <unistd.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/resource.h>
static volatile int sink;
static int deep(volatile char *p){ volatile char b[4096]; b[0]=p?p[0]:1; return deep(b)+b[0]; }
static void *thr(void *m){ if(!strcmp(m,"stack")) sink=deep(0); else *(volatile int*)0=1; return 0; }
static void h(int s){ (void)s; static const char m[]="handled\n"; (void)!write(2,m,8); _exit(3); }
int main(int c,char**v){ const char*m=c>1?v[1]:""; long n=c>2?strtol(v[2],0,0):0; if(c>3) sleep(atoi(v[3]));
 if(!strcmp(m,"read")) sink=*(volatile int*)n;
 else if(!strcmp(m,"write")) *(volatile int*)n=1;
 else if(!strcmp(m,"call")) ((void(*)(void))n)();
 else if(!strcmp(m,"stack")) sink=deep(0);
 else if(!strcmp(m,"nx")){ char*p=mmap(0,4096,PROT_READ|PROT_WRITE,MAP_PRIVATE|MAP_ANONYMOUS,-1,0); p[0]=(char)0xc3; ((void(*)(void))p)(); }
 else if(!strcmp(m,"rodata")){ *(char*)"constant"='x'; }
 else if(!strcmp(m,"unmapped")){ char*p=mmap(0,8192,PROT_READ,MAP_PRIVATE|MAP_ANONYMOUS,-1,0); munmap(p,8192); sink=p[4096]; }
 else if(!strcmp(m,"protnone")){ char*p=mmap(0,8192,PROT_NONE,MAP_PRIVATE|MAP_ANONYMOUS,-1,0); sink=p[0]; }
 else if(!strcmp(m,"bus")){ int f=open("/tmp/bus.dat",O_RDWR|O_CREAT,0644); (void)!ftruncate(f,8192); char*p=mmap(0,8192,PROT_READ|PROT_WRITE,MAP_SHARED,f,0); (void)!ftruncate(f,0); sink=p[4096]; }
 else if(!strcmp(m,"gp")) sink=*(volatile int*)0x4141414141414141UL;
 else if(!strcmp(m,"ill")) __asm__ volatile("ud2");
 else if(!strcmp(m,"div")){ volatile int z=0; sink=1/z; }
 else if(!strcmp(m,"hlt")) __asm__ volatile("hlt");
 else if(!strcmp(m,"int3")) __asm__ volatile("int3");
 else if(!strcmp(m,"abort")) abort();
 else if(!strcmp(m,"dfree")){ char*p=malloc(64); char*q=malloc(64); free(p); free(q); free(p);  }
 else if(!strcmp(m,"thread")||!strcmp(m,"tstack")){ pthread_t t; pthread_setname_np(pthread_self(),"acme-main"); pthread_create(&t,0,thr,m[1]=='s'?"stack":"w"); pthread_join(t,0); }
 else if(!strcmp(m,"handled")){ signal(SIGSEGV,h); *(volatile int*)0=1; }
 else if(!strcmp(m,"ignored")){ signal(SIGSEGV,SIG_IGN); *(volatile int*)0=1; }
 else if(!strcmp(m,"kill")) kill(getpid(),SIGSEGV);
 else if(!strcmp(m,"touch")){ size_t s=(size_t)n<<20; char*p=mmap(0,s,PROT_READ|PROT_WRITE,MAP_PRIVATE|MAP_ANONYMOUS,-1,0); for(size_t i=0;i<s;i+=4096){p[i]=1;} printf("touched %ld MiB\n",n); fflush(stdout); pause(); }
 else { fprintf(stderr,"modes\n"); return 2; }
 return 0; }
