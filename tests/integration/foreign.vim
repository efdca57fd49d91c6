" Calls a Cairn server through Neovim's own RPC channels; started by foreign.sh.
"
" Appends "pass WHAT" or "fail WHAT: ..." lines to the file $CAIRN_OUT. The server is at
" $CAIRN_ADDRESS (host:port) and at the Unix socket $CAIRN_UNIX.

function! s:Report(line) abort
  call writefile([a:line], $CAIRN_OUT, 'a')
endfunction

function! s:Check(what, got, expected) abort
  if type(a:got) == type(a:expected) && a:got ==# a:expected
    call s:Report('pass ' .. a:what)
  else
    call s:Report(printf('fail %s: got %s, expected %s', a:what, string(a:got), string(a:expected)))
  endif
endfunction

function! s:CheckError(what, channel, arguments, pattern) abort
  try
    let got = call('rpcrequest', [a:channel] + a:arguments)
    call s:Report(printf('fail %s: no error, but %s', a:what, string(got)))
  catch
    if v:exception =~# a:pattern
      call s:Report('pass ' .. a:what)
    else
      call s:Report(printf('fail %s: %s', a:what, v:exception))
    endif
  endtry
endfunction

function! s:Run(name, channel) abort
  let c = a:channel
  let key = 'foreign:vim:' .. a:name
  call s:Check(a:name .. ': a channel is open', c > 0, 1)
  call s:Check(a:name .. ': ping', rpcrequest(c, 'ping'), 'PONG')
  call s:Check(a:name .. ': set', rpcrequest(c, 'set', key, 'søte bær'), v:true)
  call s:Check(a:name .. ': get', rpcrequest(c, 'get', key), 'søte bær')
  call s:Check(a:name .. ': get of nothing', rpcrequest(c, 'get', 'foreign:none'), v:null)
  let nested = {'list': [1, -2.5, v:null, v:true, {'x': 'y'}], 'empty': {}, 'none': [],
        \ 'big': 0x7fffffffffffffff, 'long': repeat('ab', 50000)}
  call s:Check(a:name .. ': set of nested values', rpcrequest(c, 'set', key, nested), v:true)
  call s:Check(a:name .. ': get of nested values', rpcrequest(c, 'get', key), nested)
  call s:Check(a:name .. ': get by path', rpcrequest(c, 'get', [key, 'list', 4, 'x']), 'y')
  call s:Check(a:name .. ': get from the end', rpcrequest(c, 'get', [key, 'list', -2]), v:true)
  call s:Check(a:name .. ': set by path',
        \ rpcrequest(c, 'set', [key, 'list', 0], {'a': [1]}), v:true)
  call s:Check(a:name .. ': get of what was set by path',
        \ rpcrequest(c, 'get', [key, 'list', 0, 'a']), [1])
  call s:CheckError(a:name .. ': error for an unknown method', c, ['frob', 1], 'UNKNOWN_METHOD ')
  call s:CheckError(a:name .. ': error for a wrong type', c, ['push', key, [1]], 'WRONG_TYPE ')
  call s:CheckError(a:name .. ': error for wrong parameters', c, ['set', key], 'BAD_PARAMS ')
  call s:Check(a:name .. ': the channel goes on after errors', rpcrequest(c, 'exists', key), 1)
  call rpcnotify(c, 'set', key, 'notified')
  call s:Check(a:name .. ': a notification is carried out', rpcrequest(c, 'get', key), 'notified')
  call s:Check(a:name .. ': del', rpcrequest(c, 'del', key), 1)
  call chanclose(c)
endfunction

try
  call s:Run('tcp', sockconnect('tcp', $CAIRN_ADDRESS, {'rpc': v:true}))
  call s:Run('unix', sockconnect('pipe', $CAIRN_UNIX, {'rpc': v:true}))
catch
  call s:Report('fail the script: ' .. v:exception .. ' at ' .. v:throwpoint)
endtry
qall!
