% Octave copies a matrix when it is first changed: b = a costs nothing, b(1) = 2 costs all of a.
1;

function done (name)
  global start
  printf ("step %.6f %s\n", now_seconds () - start, name);
  fflush (stdout);
  fread (stdin, 1);
  start = now_seconds ();
end

function t = now_seconds ()
  t = time ();
end

global start
start = now_seconds ();

a = 2 * ones (5120, 5120);   % 200 MiB
done ("a = 2 * ones (5120, 5120)");

b = a;
done ("b = a");

b(1) = 2.5;
done ("b(1) = 2.5");

b(:, 1:512) = 3;
done ("b(:, 1:512) = 3");

a(end) = 4;
done ("a(end) = 4");

printf ("%.17g %.17g %g %g %g %g %g\n", sum (a(:)), sum (b(:)), a(1), b(1), b(2), b(end), a(end));
